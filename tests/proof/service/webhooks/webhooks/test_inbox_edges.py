"""Races, clocks and faults around the inbox."""

import asyncio
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from app.settings import InboxSettings
from app.webhooks.database import open_database, sql
from app.webhooks.events import DeliveryRefused
from app.webhooks.inbox import Inbox
from app.webhooks.worker import CLAIM, Worker
from tests.webhooks.conftest import HANDLERS, change, event, stored

pytestmark = pytest.mark.anyio


@pytest.fixture
async def worker(engine: AsyncEngine) -> Worker:
    worker = Worker(engine, HANDLERS)
    await worker.heartbeat()
    return worker


async def ids(worker: Worker, limit: int = 8) -> list[str]:
    """Return the ids of what a process claims now."""
    return sorted(row.id for row in await worker.claim(limit))


async def test_missing_subject_is_no_other_subject(worker: Worker, engine: AsyncEngine) -> None:
    await worker.inbox.accept(event())
    await worker.inbox.accept(event(data={}))

    assert len(await stored(engine)) == 1


async def test_subject_is_compared_by_the_rule_of_today(
    worker: Worker, engine: AsyncEngine
) -> None:
    """An earlier release may have looked for it elsewhere."""
    await worker.inbox.accept(event())
    await change(engine, "UPDATE inbox_events SET subject = 'another'")

    await worker.inbox.accept(event(data={"sub": "anna"}))


async def test_type_that_is_not_stored(worker: Worker, engine: AsyncEngine) -> None:
    assert await worker.inbox.accept(event(event_type="user.renamed")) is None
    assert await stored(engine) == {}


async def test_longest_due_is_claimed_first(worker: Worker, engine: AsyncEngine) -> None:
    for name, seconds in {"evt_1": 0, "evt_2": -9, "evt_3": -5, "evt_4": 30}.items():
        await worker.inbox.accept(event(name))
        statement = "UPDATE inbox_events SET due_at = due_at + :seconds WHERE id = :name"
        await change(engine, statement, name=name, seconds=seconds)

    assert await ids(worker, 2) == ["evt_2", "evt_3"]


async def test_other_types_are_left_alone(worker: Worker, engine: AsyncEngine) -> None:
    """During a rolling deployment, an old replica has no handler for a new type."""
    await worker.inbox.accept(event())
    await change(engine, "UPDATE inbox_events SET type = 'user.renamed'")

    assert await ids(worker) == []


async def test_event_without_a_written_outcome(worker: Worker) -> None:
    """The process that leased it, and does not work on it, claims it again."""
    await worker.inbox.accept(event())

    assert [await ids(worker), await ids(worker)] == [["evt_1"], ["evt_1"]]


async def test_late_heartbeat_frees_no_running_event(worker: Worker, engine: AsyncEngine) -> None:
    """Else the process would work on it twice at a time."""
    await worker.inbox.accept(event())
    await worker.claim(8)
    worker._running["evt_1"] = asyncio.create_task(asyncio.sleep(0))
    await change(engine, "UPDATE inbox_workers SET seen_at = seen_at - 16")

    assert await ids(worker) == []


async def test_clock_that_was_set_back(worker: Worker, engine: AsyncEngine) -> None:
    """What was written before it lies in the future: a due time and the last heartbeat."""
    await worker.inbox.accept(event())
    await worker.claim(8)
    await change(engine, "UPDATE inbox_events SET due_at = due_at + 3600")
    await change(engine, "UPDATE inbox_workers SET seen_at = seen_at + 3600")

    assert await ids(Worker(engine, HANDLERS)) == ["evt_1"]


async def test_only_claims_of_the_stopping_process_are_withdrawn(
    worker: Worker, engine: AsyncEngine
) -> None:
    other = Worker(engine, HANDLERS)
    for each in (worker, other):
        await each.heartbeat()
        each.repeat(60, "heartbeat", each.heartbeat)
    await worker.inbox.accept(event("evt_1"))
    await worker.claim(8)
    await worker.inbox.accept(event("evt_2"))
    await other.claim(8)
    await worker.__aexit__()
    rows = await stored(engine)
    await other.__aexit__()

    assert [rows[name].attempts for name in ("evt_1", "evt_2")] == [0, 1]


async def test_only_the_stopping_process_leaves(worker: Worker, engine: AsyncEngine) -> None:
    """The events of another one stay leased by it."""
    other = Worker(engine, HANDLERS)
    await other.heartbeat()
    await other.inbox.accept(event("evt_1"))
    await other.claim(8)
    await worker.__aexit__()

    assert await ids(Worker(engine, HANDLERS)) == []
    await other.__aexit__()
    assert await ids(Worker(engine, HANDLERS)) == ["evt_1"]


async def test_readiness_before_the_first_heartbeat(engine: AsyncEngine) -> None:
    with pytest.raises(DeliveryRefused, match="503"):
        await Worker(engine, HANDLERS).check()


async def test_slow_database_is_a_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event is stored all the same, and the retry of its sender is a duplicate."""
    url = SecretStr(f"sqlite:///{tmp_path}/inbox.sqlite")
    async with open_database(url) as engine, engine.connect() as locking:
        inbox = Inbox(engine, HANDLERS)
        await locking.execute(sa.text("BEGIN IMMEDIATE"))
        monkeypatch.setattr("app.webhooks.inbox.TIMEOUT", 0.05)
        with pytest.raises(DeliveryRefused) as refusal:
            await inbox.accept(event())
        await locking.rollback()
        monkeypatch.setattr("app.webhooks.inbox.TIMEOUT", 30)
        await inbox.accept(event())

        assert (refusal.value.status_code, refusal.value.reason) == (503, "timeout")
        assert list(await stored(engine)) == ["evt_1"]


async def test_failure_after_all_senders_have_gone(
    worker: Worker, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing complains about an exception that was never retrieved."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    await change(engine, "ALTER TABLE inbox_events RENAME TO elsewhere")
    monkeypatch.setattr("app.webhooks.inbox.TIMEOUT", 0)
    with pytest.raises(DeliveryRefused, match="503"):
        await worker.inbox.accept(event())
    await asyncio.wait([worker.inbox._commit])
    monkeypatch.setattr("app.webhooks.inbox.TIMEOUT", 30)
    with pytest.raises(DeliveryRefused, match="503"):
        await worker.inbox.accept(event())

    assert complaints == []


async def test_purge_between_the_statements_of_a_commit(engine: AsyncEngine) -> None:
    """On PostgreSQL another process can do that to an old event that is sent again."""
    inbox = Inbox(engine, HANDLERS)
    await inbox.accept(event())

    def purge(connection: sa.Connection, _: object, statement: str, *__: object) -> None:
        if statement.startswith("SELECT"):
            connection.exec_driver_sql("DELETE FROM inbox_events")

    sa.event.listen(engine.sync_engine, "before_cursor_execute", purge)
    with pytest.raises(DeliveryRefused) as refusal:
        await inbox.accept(event())
    sa.event.remove(engine.sync_engine, "before_cursor_execute", purge)
    await inbox.accept(event())  # as its sender does after a 503

    assert (refusal.value.status_code, refusal.value.reason) == (503, "purged")
    assert list(await stored(engine)) == ["evt_1"]


async def test_too_many_pending_deliveries(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.webhooks.inbox.MAX_PENDING", 1)
    outcomes = await asyncio.gather(
        *[worker.inbox.accept(event(f"evt_{number}")) for number in range(3)],
        return_exceptions=True,
    )

    assert [getattr(outcome, "reason", None) for outcome in outcomes] == [None, "full", "full"]


async def test_sender_that_goes_away_cancels_no_other(worker: Worker, engine: AsyncEngine) -> None:
    first = asyncio.create_task(worker.inbox.accept(event("evt_1")))
    second = asyncio.create_task(worker.inbox.accept(event("evt_2")))
    await asyncio.sleep(0)
    first.cancel()
    await second

    assert set(await stored(engine)) == {"evt_1", "evt_2"}


async def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    async with open_database(SecretStr(f"sqlite:///{tmp_path}/inbox.sqlite")) as engine:
        await Inbox(engine, HANDLERS).accept(event())
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}

    assert set(modes.values()) == {0o600}, modes


async def test_missing_index_is_added(settings: InboxSettings) -> None:
    """As a later release, or another choice of features, may bring one."""

    def names(connection: sa.Connection) -> set[str | None]:
        return {index["name"] for index in sa.inspect(connection).get_indexes("inbox_events")}

    async with open_database(settings.inbox_database_url) as engine:
        await change(engine, "DROP INDEX inbox_events_due")
    async with open_database(settings.inbox_database_url) as engine, engine.connect() as connection:
        assert "inbox_events_due" in await connection.run_sync(names)


async def test_commits_are_durable(tmp_path: Path) -> None:
    """`FULL` is 2: what has got its 200 survives a loss of power."""
    url = SecretStr(f"sqlite:///{tmp_path}/inbox.sqlite")
    names = ("journal_mode", "synchronous", "busy_timeout")
    async with open_database(url) as engine, engine.connect() as connection:
        modes = [await connection.scalar(sa.text(f"PRAGMA {name}")) for name in names]

    assert modes == ["wal", 2, 3000]


async def test_claim_uses_its_index(tmp_path: Path) -> None:
    """A poll must not read all rows."""
    url = SecretStr(f"sqlite:///{tmp_path}/inbox.sqlite")
    async with open_database(url) as engine, engine.connect() as connection:
        claim = sql(f"EXPLAIN QUERY PLAN {CLAIM}", connection.dialect).bindparams(
            sa.bindparam("types", ["a"], expanding=True),
            sa.bindparam("running", [], expanding=True),
            **{"worker": "w", "lease": 15, "limit": 8, "max_delay": 60},
        )
        plan = "".join(row[3] for row in await connection.execute(claim))

    assert "USING INDEX inbox_events_due" in plan


async def test_failing_database_is_a_503(worker: Worker, engine: AsyncEngine) -> None:
    await change(engine, "ALTER TABLE inbox_events RENAME TO elsewhere")
    with pytest.raises(DeliveryRefused, match="503"):
        await worker.inbox.accept(event())
    await change(engine, "ALTER TABLE elsewhere RENAME TO inbox_events")
    await worker.inbox.accept(event())

    assert list(await stored(engine)) == ["evt_1"]
