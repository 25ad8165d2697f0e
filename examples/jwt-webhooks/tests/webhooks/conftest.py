"""A sender of events, and an inbox in each kind of database."""

import json
import logging
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.testclient import TestClient

from app.settings import InboxSettings
from app.webhooks.database import metadata, open_database
from app.webhooks.events import Event, Handler, parse_event
from app.webhooks.inbox import StoredEvent, events
from app.webhooks.signature import PATH
from dev.signing import SECRET, signed
from tests.callers import Clock
from tests.conftest import Start, read_settings
from tests.webhooks.databases import postgresql

notes = sa.Table("test_notes", metadata, sa.Column("id", sa.Text))


async def take_note(event: Event, connection: AsyncConnection) -> None:
    """Write the id of an event into a table of the tests' own."""
    await connection.execute(sa.insert(notes).values(id=event.id))


HANDLERS = dict.fromkeys(("user.created", "user.updated"), Handler(take_note))
"""What takes the place of the service's handlers."""


def body(event_id: str = "evt_1", event_type: str = "user.updated", **more: object) -> bytes:
    """Return an event about anna, unless `more` says otherwise."""
    document = {"id": event_id, "type": event_type, "data": {"user_id": "anna"}, **more}
    return json.dumps(document).encode()


def event(event_id: str = "evt_1", event_type: str = "user.updated", **more: object) -> Event:
    """Return an event about anna as the service reads it now."""
    return parse_event(body(event_id, event_type, **more), time.time(), time.time())


@dataclass
class Sender:
    """Sends events to a running service as the platform does."""

    client: TestClient
    clock: Clock

    def __call__(
        self,
        content: bytes = body(),
        *,
        off: float = 0,
        secret: str = SECRET,
        headers: Iterable[tuple[str, str | bytes | None]] = (),
        twice: str | None = None,
    ) -> Any:
        """Sign `content` as if it were sent `off` seconds later, and send it.

        `headers` replace others, `None` takes one away. The header `twice` is sent twice.
        """
        signature = signed(content, secret, self.clock.now + off)
        changed = {"Content-Type": "application/json", **signature, **dict(headers)}
        sent: Any = [(name, value) for name, value in changed.items() if value is not None]
        sent += [pair for pair in sent if pair[0] == twice]
        return self.client.post(PATH, content=content, headers=sent)


def lines(caplog: pytest.LogCaptureFixture, words: str, count: int = 0) -> list[str]:
    """Return the lines of the log that begin with `words`, as soon as there are `count`."""
    deadline = time.monotonic() + 30
    while True:
        found = [line for line in caplog.messages if line.startswith(words)]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, caplog.messages
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def own_handlers(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO, "app")
    monkeypatch.setattr("app.services.HANDLERS", HANDLERS)


@pytest.fixture
def inbox_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/inbox.sqlite"


@pytest.fixture
def deliver(start: Start, clock: Clock, inbox_url: str) -> Sender:
    """Return a sender to a service whose inbox is empty."""
    return Sender(start(INBOX_DATABASE_URL=inbox_url), clock)


def assert_refused(response: Any, status: int, detail: str) -> None:
    """Check what a sender sees whose delivery is refused."""
    assert (response.status_code, response.json()) == (status, {"detail": detail})
    assert "www-authenticate" not in response.headers


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, inbox_url: str) -> InboxSettings:
    """Return the settings of an empty inbox, in each kind of database in turn."""
    url = inbox_url
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        with psycopg.connect(url) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return read_settings(InboxSettings, INBOX_DATABASE_URL=url)


@pytest.fixture
async def engine(settings: InboxSettings) -> AsyncIterator[AsyncEngine]:
    async with open_database(settings.inbox_database_url) as engine:
        yield engine


async def noted(engine: AsyncEngine) -> list[str]:
    """Return the ids in the table of the tests."""
    async with engine.connect() as connection:
        return list(await connection.scalars(sa.select(notes.c.id)))


async def stored(engine: AsyncEngine) -> dict[str, StoredEvent]:
    """Return the rows of the inbox by id."""
    async with engine.connect() as connection:
        return {row.id: row for row in await connection.execute(sa.select(events))}


async def change(engine: AsyncEngine, statement: str, **values: object) -> None:
    """Change rows as an operator can, or as time does."""
    async with engine.begin() as connection:
        await connection.execute(sa.text(statement), values)
