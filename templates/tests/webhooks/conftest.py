"""A sender of events, what the service logs, and an inbox in each kind of database."""

import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from app.database import Database, open_database
from app.webhooks import handlers
from app.webhooks.events import Event, parse_event
from app.webhooks.inbox import StoredEvent, events
from app.webhooks.signature import PATH
from dev.signing import SECRET, signed
from tests.callers import Clock
from tests.conftest import Start
from tests.webhooks.databases import postgresql

JSON = {"Content-Type": "application/json"}
USERS = handlers.users


def body(event_id: str = "evt_1", event_type: str = "user.updated", **more: object) -> bytes:
    """Return an event about anna, unless `more` says otherwise."""
    document = {"id": event_id, "type": event_type, "data": {"user_id": "anna"}, **more}
    return json.dumps(document).encode()


def event(event_id: str = "evt_1", event_type: str = "user.updated", **more: object) -> Event:
    """Return an event about anna as the service reads it now."""
    now = time.time()
    return parse_event(body(event_id, event_type, **more), now, now)


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
    """The records of the logger `app`."""

    records: list[logging.LogRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def __hash__(self) -> int:
        return id(self)

    def saying(self, words: str) -> list[str]:
        """Return the lines that begin with `words`."""
        lines = [record.getMessage() for record in self.records]
        return [line for line in lines if line.startswith(words)]

    def wait_for(self, words: str, times: int = 1) -> list[str]:
        """Return the lines that begin with `words` as soon as there are so many."""
        eventually(lambda: len(self.saying(words)) >= times)
        return self.saying(words)


def eventually(happened: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until `happened`, and fail when it does not within some seconds."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
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


@pytest.fixture
def inbox_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/inbox.sqlite"


@pytest.fixture
def send(client: TestClient, clock: Clock) -> Sender:
    """Return a sender of deliveries whose events are not stored."""
    return Sender(client, clock)


@pytest.fixture
def deliver(start: Start, clock: Clock, inbox_url: str, log: Log) -> Sender:
    """Return a sender to a service whose inbox is empty. Its log is in `log`."""
    sender = Sender(start(INBOX_DATABASE_URL=inbox_url), clock)
    # The start of a service replaces the handlers.
    logging.getLogger("app").addHandler(log)
    return sender


def assert_refused(response: Any, status: int, detail: str) -> None:
    """Check what a sender sees whose delivery is refused."""
    assert (response.status_code, response.json()) == (status, {"detail": detail})
    assert "www-authenticate" not in response.headers


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, inbox_url: str) -> str:
    """Return the address of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return inbox_url
    url: str = request.getfixturevalue("postgresql_url")
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


async def stored(database: Database) -> dict[str, StoredEvent]:
    """Return the rows of the inbox by id."""
    async with database.engine.connect() as connection:
        return {row.id: row for row in await connection.execute(sa.select(events))}


async def change(database: Database, statement: str, **values: object) -> None:
    """Change rows as an operator can, or as time does."""
    async with database.engine.begin() as connection:
        await connection.execute(sa.text(statement), values)
