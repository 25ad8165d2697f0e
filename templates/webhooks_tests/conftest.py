"""A sender of events, and what the service's log says about them."""

import asyncio
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from app.deliveries import PATH
from app.inbox import InboxSettings, open_inbox
from app.processing import Processing
from dev.signing import SECRET, signed
from tests.callers import Clock
from tests.conftest import Start

JSON = {"Content-Type": "application/json"}
ABOUT_ANNA = {"user_id": "anna"}


def body(event_id: str = "evt_1", kind: str = "user.updated", **data: object) -> bytes:
    """Return an event about anna, unless `data` says otherwise."""
    document = {"id": event_id, "type": kind, "data": data or ABOUT_ANNA}
    return json.dumps(document).encode()


@dataclass
class Sender:
    """Sends events to a running service as the platform does."""

    client: TestClient
    clock: Clock

    def __call__(
        self,
        content: bytes,
        *,
        secret: str = SECRET,
        at: float | None = None,
        headers: Mapping[str, str] = JSON,
    ) -> Any:
        """Sign `content` and send it, now or as if `at` (seconds since 1970)."""
        signature = signed(content, secret, self.clock.now if at is None else at)
        return self.post(content, {**headers, **signature})

    def post(self, content: Any, headers: Any = None) -> Any:
        """Send `content` with these headers and no others."""
        return self.client.post(PATH, content=content, headers=headers)


@dataclass
class Log(logging.Handler):
    """What the service logs, record by record."""

    records: list[logging.LogRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def __hash__(self) -> int:
        return id(self)

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.records]

    def saying(self, words: str) -> list[str]:
        """Return the lines that begin with `words`."""
        return [line for line in self.lines if line.startswith(words)]

    def wait_for(self, words: str, times: int = 1) -> list[str]:
        """Return the lines that begin with `words` as soon as there are so many."""
        eventually(lambda: len(self.saying(words)) >= times, self.lines)
        return self.saying(words)


def eventually(happened: Callable[[], bool], shown: object = None, seconds: float = 10) -> None:
    """Wait until `happened`, and fail when it does not within some seconds."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, shown
        time.sleep(0.01)


@pytest.fixture
def log() -> Iterator[Log]:
    """Return what the service logs from now on."""
    handler = Log()
    logger = logging.getLogger("app")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture(scope="session")
def new_inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of an inbox as its library makes it, which takes as long as a small test."""
    path = tmp_path_factory.mktemp("inbox") / "inbox.sqlite"

    async def make() -> None:
        settings = InboxSettings.model_validate({"INBOX_DATABASE_URL": f"sqlite:///{path}"})
        async with open_inbox(settings, Processing({})):
            pass

    asyncio.run(make())
    return path


@pytest.fixture
def inbox_url(tmp_path: Path, new_inbox: Path) -> str:
    """Return the address of an inbox that is new."""
    shutil.copy(new_inbox, tmp_path)
    return f"sqlite:///{tmp_path}/inbox.sqlite"


@pytest.fixture
def send(client: TestClient, clock: Clock) -> Sender:
    """Return a sender, for deliveries of which no event comes to be."""
    return Sender(client, clock)


@pytest.fixture
def deliver(start: Start, clock: Clock, inbox_url: str, log: Log) -> Sender:
    """Return a sender to a service whose inbox is empty. Its log is in `log`."""
    sender = Sender(start(INBOX_DATABASE_URL=inbox_url), clock)
    # Starting sets the log up anew.
    logging.getLogger("app").addHandler(log)
    return sender


def assert_refused(response: httpx.Response, status: int, detail: str) -> None:
    """Check what a sender sees whose delivery is not taken."""
    assert (response.status_code, response.json()) == (status, {"detail": detail})
    assert "www-authenticate" not in response.headers
