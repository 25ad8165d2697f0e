"""The inbox: an event is stored once, leased to one process, and free when that process is gone."""

import asyncio
import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from app.environment import InvalidSettings
from app.webhooks.database import open_database
from app.webhooks.events import DeliveryRefused
from app.webhooks.inbox import Inbox
from app.webhooks.worker import Worker
from tests.webhooks.conftest import HANDLERS, change, event, lines, stored

pytestmark = pytest.mark.anyio


@pytest.fixture
async def worker(engine: AsyncEngine) -> Worker:
    worker = Worker(engine, HANDLERS)
    await worker.heartbeat()
    return worker


@pytest.fixture
def inbox(worker: Worker) -> Inbox:
    return worker.inbox


async def claimed(engine: AsyncEngine) -> list[str]:
    """Return what another process claims now."""
    other = Worker(engine, HANDLERS)
    await other.heartbeat()
    return [row.id for row in await other.claim(8)]


async def test_duplicate_is_stored_once(inbox: Inbox, engine: AsyncEngine) -> None:
    for _ in range(2):
        await inbox.accept(event())

    (row,) = (await stored(engine)).values()
    assert (row.id, row.type, row.subject) == ("evt_1", "user.updated", "anna")
    assert (row.state, row.attempts) == ("waiting", 0)


async def test_concurrent_deliveries_share_transactions(inbox: Inbox, engine: AsyncEngine) -> None:
    commits: list[object] = []
    sa.event.listen(engine.sync_engine, "commit", commits.append)
    await asyncio.gather(*[inbox.accept(event(f"evt_{number % 40}")) for number in range(50)])

    assert len(await stored(engine)) == 40
    assert len(commits) < 10


BERT = {"user_id": "bert"}
OTHER_EVENTS: dict[str, dict[str, Any]] = {
    "another type": {"event_type": "user.created"},
    "another subject": {"data": BERT},
}


@pytest.mark.parametrize("other", OTHER_EVENTS.values(), ids=OTHER_EVENTS)
async def test_reused_id_is_refused(
    inbox: Inbox, caplog: pytest.LogCaptureFixture, other: dict[str, Any]
) -> None:
    """One of the two events would be lost. That is logged once an hour."""
    reused = uuid.uuid4().hex
    await inbox.accept(event(reused))
    for _ in range(2):
        with pytest.raises(DeliveryRefused, match="409"):
            await inbox.accept(event(reused, **other))

    assert len(lines(caplog, "webhook id belongs to another event")) == 1


async def test_silent_process_loses_its_lease(worker: Worker, engine: AsyncEngine) -> None:
    await worker.inbox.accept(event())
    assert len(await worker.claim(8)) == 1
    await change(engine, "UPDATE inbox_workers SET seen_at = seen_at - 14")
    early = await claimed(engine)
    await change(engine, "UPDATE inbox_workers SET seen_at = seen_at - 2")

    assert (early, await claimed(engine)) == ([], ["evt_1"])


async def test_readiness_needs_committed_heartbeats(
    worker: Worker, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.check()
    await change(engine, "DROP TABLE inbox_workers")
    monkeypatch.setattr("app.webhooks.worker.LEASE", 0)

    with pytest.raises(sa.exc.SQLAlchemyError):
        await worker.heartbeat()
    with pytest.raises(DeliveryRefused):
        await worker.check()


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/inbox.sqlite", "postgresql://me:hunter2@127.0.0.1:9/inbox"]
)
async def test_unusable_database_is_explained(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.tracebacklimit", 100, raising=False)
    with pytest.raises(InvalidSettings, match="check INBOX_DATABASE_URL") as problem:
        async with open_database(SecretStr(url)):
            pass

    assert "hunter2" not in str(problem.value)
