"""Processing: a handler and the end of its event commit together; what fails is tried again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.database import Database
from app.webhooks.events import Event
from app.webhooks.handlers import HANDLERS
from app.webhooks.inbox import Inbox
from app.webhooks.worker import Handler, TryAgain, run_worker
from tests.webhooks.conftest import USERS, Log, change, event, stored

pytestmark = pytest.mark.anyio

Run = Callable[[Event, AsyncConnection], Awaitable[None]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for due events often, so that no test waits for a second."""
    monkeypatch.setattr("app.webhooks.worker.POLL", 0.05)


async def until(happened: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    """Wait until `happened`."""
    async with asyncio.timeout(30):
        while True:
            outcome = happened()
            if outcome if isinstance(outcome, bool) else await outcome:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def working(
    database: Database, run: Run, *, needs_subject: bool = True
) -> AsyncIterator[Inbox]:
    """Process the events of a type by `run` while the block lasts."""
    inbox = Inbox(database)
    async with run_worker(inbox, {"user.updated": Handler(run, needs_subject)}):
        yield inbox


async def state_of(database: Database) -> str:
    return str((await stored(database))["evt_1"].state)


async def is_released(database: Database) -> bool:
    return (await stored(database))["evt_1"].leased_by is None


async def users(database: Database) -> dict[str, str]:
    async with database.engine.connect() as connection:
        return {row.id: row.last_event for row in await connection.execute(sa.select(USERS))}


async def succeed(_: Event, __: AsyncConnection) -> None:
    """Do nothing."""


async def fail(_: Event, __: AsyncConnection) -> None:
    raise ZeroDivisionError("anna")


async def test_handler_gets_the_event(database: Database, log: Log) -> None:
    seen: list[Event] = []

    async def note(event: Event, _: AsyncConnection) -> None:
        seen.append(event)

    sent = event(data={"user_id": "anna", "score": 1})
    async with working(database, note) as inbox:
        await inbox.accept(sent)
        await until(lambda: log.saying("webhook processed") != [])
    record = next(record for record in log.records if "processed" in record.getMessage())

    assert seen == [sent]
    assert log.saying("webhook processed") == [
        "webhook processed event_id=evt_1 event_type=user.updated"
    ]
    assert vars(record)["event_id"] == "evt_1"
    assert vars(record)["event_type"] == "user.updated"
    assert "repeated" not in vars(record)
    assert await state_of(database) == "done"


async def now_of(database: Database) -> float:
    async with database.engine.connect() as connection:
        return float(await connection.scalar(database.sql("SELECT :now")))


@pytest.mark.parametrize(("attempt", "delay"), [(1, 1), (2, 4), (3, 16), (4, 60)])
async def test_failed_event_is_due_later(database: Database, attempt: int, delay: float) -> None:
    await Inbox(database).accept(event())
    await change(database, "UPDATE inbox_events SET attempts = :before", before=attempt - 1)
    before = await now_of(database)
    async with working(database, fail):
        await until(lambda: has_failed(database, attempt))

    row = (await stored(database))["evt_1"]
    assert (row.state, row.error) == ("waiting", "ZeroDivisionError")
    assert before + delay <= row.due_at <= await now_of(database) + delay


async def test_event_that_fails_five_times_is_dead(database: Database, log: Log) -> None:
    await Inbox(database).accept(event())
    await change(database, "UPDATE inbox_events SET attempts = 4")
    async with working(database, fail):
        await until(lambda: is_ended(database))

    row = (await stored(database))["evt_1"]
    assert (row.state, row.attempts, row.error) == ("dead", 5, "ZeroDivisionError")
    assert log.saying("webhook dead") == [
        "webhook dead event_id=evt_1 event_type=user.updated reason=ZeroDivisionError"
    ]


async def has_failed(database: Database, attempts: int) -> bool:
    row = (await stored(database))["evt_1"]
    return row.attempts == attempts and row.leased_by is None


async def test_try_again_has_no_end(database: Database) -> None:
    calls = 0

    async def wait(_: Event, __: AsyncConnection) -> None:
        nonlocal calls
        calls += 1
        if calls < 8:
            raise TryAgain

    async with working(database, wait) as inbox:
        await inbox.accept(event())
        while calls < 8:
            await change(database, "UPDATE inbox_events SET due_at = 0")
            await asyncio.sleep(0.02)
        await until(lambda: is_done(database))

    assert (await stored(database))["evt_1"].attempts == 1


async def is_done(database: Database) -> bool:
    return await state_of(database) == "done"


async def test_slow_handler_fails(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.webhooks.worker.HANDLER_TIMEOUT", 0.01)

    async def hang(_: Event, __: AsyncConnection) -> None:
        await asyncio.Event().wait()

    async with working(database, hang) as inbox:
        await inbox.accept(event())
        await until(lambda: has_failed(database, 1))

    assert (await stored(database))["evt_1"].error == "TimeoutError"


async def test_cancellation_inside_a_handler_is_a_failure(database: Database) -> None:
    """What it awaited was cancelled, not the handler."""

    async def await_a_cancelled_task(_: Event, __: AsyncConnection) -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    async with working(database, await_a_cancelled_task) as inbox:
        await inbox.accept(event())
        await until(lambda: has_failed(database, 1))

    assert (await stored(database))["evt_1"].error == "CancelledError"


@pytest.mark.parametrize(("needs_subject", "state"), [(True, "dead"), (False, "done")])
async def test_handler_says_whether_it_needs_a_subject(
    database: Database, needs_subject: bool, state: str
) -> None:
    async with working(database, succeed, needs_subject=needs_subject) as inbox:
        await inbox.accept(event(data={"invoice_id": 7}))
        await until(lambda: is_ended(database))

    assert await state_of(database) == state


async def is_ended(database: Database) -> bool:
    return await state_of(database) != "waiting"


async def test_event_that_kills_its_process_each_time_is_dead(database: Database) -> None:
    inbox = Inbox(database)
    await inbox.accept(event())
    await change(database, "UPDATE inbox_events SET attempts = 10")
    async with working(database, succeed):
        await until(lambda: is_ended(database))

    row = (await stored(database))["evt_1"]
    assert (row.state, row.error) == ("dead", "attempts")


async def test_event_of_a_killed_process_is_repeated(database: Database, log: Log) -> None:
    await Inbox(database).accept(event())
    await change(database, "UPDATE inbox_events SET attempts = 1, leased_by = 'gone'")
    async with working(database, succeed):
        await until(lambda: is_done(database))

    assert log.saying("webhook processed") == [
        "webhook processed event_id=evt_1 event_type=user.updated repeated=true"
    ]


async def test_failed_event_is_not_called_repeated(database: Database, log: Log) -> None:
    await Inbox(database).accept(event())
    await change(database, "UPDATE inbox_events SET attempts = 1, error = 'ValueError'")
    async with working(database, succeed):
        await until(lambda: is_done(database))

    assert log.saying("webhook processed") == [
        "webhook processed event_id=evt_1 event_type=user.updated"
    ]


async def keep_and_fail(event: Event, connection: AsyncConnection) -> None:
    await HANDLERS["user.updated"].run(event, connection)
    raise ZeroDivisionError


async def test_write_of_a_failed_handler_is_rolled_back(database: Database) -> None:
    async with working(database, keep_and_fail) as inbox:
        await inbox.accept(event())
        await until(lambda: has_failed(database, 1))

    assert await users(database) == {}


async def test_write_is_rolled_back_when_the_lease_is_lost(database: Database, log: Log) -> None:
    """The other process writes it."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait_and_keep(event: Event, connection: AsyncConnection) -> None:
        begun.set()
        await go_on.wait()
        await HANDLERS["user.updated"].run(event, connection)

    async with working(database, wait_and_keep) as inbox:
        await inbox.accept(event())
        await begun.wait()
        await change(database, "UPDATE inbox_events SET leased_by = 'another'")
        await change(database, "INSERT INTO inbox_workers VALUES ('another', 9e9)")
        go_on.set()
        await until(lambda: log.saying("webhook taken over") != [])

    assert await users(database) == {}
    assert log.saying("webhook processed") == []


async def test_write_is_committed_with_the_end_of_the_event(database: Database) -> None:
    async with working(database, HANDLERS["user.updated"].run) as inbox:
        await inbox.accept(event())
        await until(lambda: is_done(database))

    assert await users(database) == {"anna": "user.updated"}


async def test_older_event_does_not_undo_a_newer_one(database: Database) -> None:
    inbox = Inbox(database)
    newer, older = "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"
    async with run_worker(inbox, HANDLERS):
        await inbox.accept(event("evt_0", "user.deleted", timestamp=newer))
        await until(lambda: are_done(database, 1))
        await inbox.accept(event("evt_1", timestamp=older))
        await until(lambda: are_done(database, 2))

    assert await users(database) == {"anna": "user.deleted"}


async def are_done(database: Database, count: int) -> bool:
    return [row.state for row in (await stored(database)).values()] == ["done"] * count


async def test_slow_handler_does_not_delay_others(database: Database) -> None:
    go_on = asyncio.Event()

    async def wait_for_the_first(event: Event, _: AsyncConnection) -> None:
        if event.id == "evt_0":
            await go_on.wait()

    async with working(database, wait_for_the_first) as inbox:
        for number in range(40):
            await inbox.accept(event(f"evt_{number}"))
        await until(lambda: are_all_done_but_the_first(database))
        go_on.set()


async def are_all_done_but_the_first(database: Database) -> bool:
    rows = (await stored(database)).values()
    return {row.id for row in rows if row.state != "done"} == {"evt_0"}


async def test_running_handler_may_end_when_the_service_stops(database: Database) -> None:
    begun = asyncio.Event()

    async def take_a_while(_: Event, __: AsyncConnection) -> None:
        begun.set()
        await asyncio.sleep(0.05)

    async with working(database, take_a_while) as inbox:
        await inbox.accept(event())
        await begun.wait()

    assert await state_of(database) == "done"


async def test_handler_that_does_not_end_is_rolled_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it had not been tried: free, and no attempt counted."""
    monkeypatch.setattr("app.webhooks.worker.GRACE", 0.01)
    begun = asyncio.Event()

    async def keep_and_hang(event: Event, connection: AsyncConnection) -> None:
        await HANDLERS["user.updated"].run(event, connection)
        begun.set()
        await asyncio.Event().wait()

    async with working(database, keep_and_hang) as inbox:
        await inbox.accept(event())
        await begun.wait()

    row = (await stored(database))["evt_1"]
    assert (row.state, row.attempts, row.leased_by) == ("waiting", 0, None)
    assert await users(database) == {}


async def test_event_that_another_process_stored_is_found(database: Database) -> None:
    """Nothing wakes the worker: it looks once a second."""
    async with working(database, succeed):
        await Inbox(database).accept(event())
        await until(lambda: is_done(database))


async def test_worker_goes_on_after_a_failed_claim(database: Database, log: Log) -> None:
    async with working(database, succeed) as inbox:
        await change(database, "ALTER TABLE inbox_events RENAME TO elsewhere")
        await until(lambda: log.saying("claim failed") != [])
        await change(database, "ALTER TABLE elsewhere RENAME TO inbox_events")
        await inbox.accept(event())
        await until(lambda: is_done(database))


async def test_no_error_shows_the_event(database: Database, log: Log) -> None:
    logging.getLogger("app").addHandler(log)
    async with working(database, fail) as inbox:
        await inbox.accept(event())
        await until(lambda: has_failed(database, 1))

    assert "anna" not in "".join(record.getMessage() for record in log.records)
    assert all(record.exc_info is None for record in log.records)
