"""Handlers and databases that fail in unusual ways."""

import asyncio
import gc

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.webhooks.events import Event, Handler
from app.webhooks.inbox import Inbox
from app.webhooks.worker import Worker
from tests.webhooks.conftest import HANDLERS, change, event, lines, noted, stored, take_note
from tests.webhooks.test_worker import EVENT, SUCCEED, Work, until, work

__all__ = ["work"]
pytestmark = pytest.mark.anyio


async def test_cancellation_inside_a_handler_is_a_failure(work: Work, engine: AsyncEngine) -> None:
    """What it awaited was cancelled, not the handler."""

    async def await_a_cancelled_task(_: Event, __: AsyncConnection) -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    async with work(Handler(await_a_cancelled_task)) as worker:
        await worker.inbox.accept(event())
        row = await until(engine, lambda row: row.error is not None)

    assert (row.state, row.attempts, row.error) == ("waiting", 1, "CancelledError")


async def unfinished_in(engine: AsyncEngine) -> set[str]:
    return {row.id for row in (await stored(engine)).values() if row.state != "done"}


async def test_slow_handlers_delay_no_others(work: Work, engine: AsyncEngine) -> None:
    go_on = asyncio.Event()

    async def wait_for_some(event: Event, _: AsyncConnection) -> None:
        if event.id in ("evt_0", "evt_1", "evt_2"):
            await go_on.wait()

    async with work(Handler(wait_for_some)) as worker:
        for number in range(40):
            await worker.inbox.accept(event(f"evt_{number}"))
        async with asyncio.timeout(30):
            while len(unfinished := await unfinished_in(engine)) > 3:
                await asyncio.sleep(0.01)
        go_on.set()

    assert unfinished == {"evt_0", "evt_1", "evt_2"}


async def test_event_of_another_process_is_found(work: Work, engine: AsyncEngine) -> None:
    """Nothing wakes the worker: it polls."""
    async with work(SUCCEED):
        await Inbox(engine, HANDLERS).accept(event())
        await until(engine, lambda row: row.state == "done")


async def test_delivery_wakes_the_worker(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.webhooks.worker.POLL", 60)
    async with Worker(engine, HANDLERS) as worker:
        for number in range(2):
            await worker.inbox.accept(event(f"evt_{number}"))
            await asyncio.sleep(0.1)
        await worker.inbox.accept(event())
        await until(engine, lambda row: row.state == "done")


async def test_worker_goes_on_after_a_failed_claim(
    work: Work, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async with work(SUCCEED) as worker:
        await change(engine, "ALTER TABLE inbox_events RENAME TO elsewhere")
        await asyncio.to_thread(lines, caplog, "claim failed reason=", 1)
        await change(engine, "ALTER TABLE elsewhere RENAME TO inbox_events")
        await worker.inbox.accept(event())
        await until(engine, lambda row: row.state == "done")


async def test_outcome_that_cannot_be_written(
    work: Work, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """The event is processed again as soon as the database takes it."""
    calls = 0

    async def lock_out(_: Event, __: AsyncConnection) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            await change(engine, "ALTER TABLE inbox_events RENAME TO elsewhere")
            raise KeyError

    async with work(Handler(lock_out)) as worker:
        await worker.inbox.accept(event())
        (line,) = await asyncio.to_thread(lines, caplog, "webhook not released", 1)
        await change(engine, "ALTER TABLE elsewhere RENAME TO inbox_events")
        await until(engine, lambda row: row.state == "done")

    assert line.startswith("webhook not released event_id=evt_1 event_type=user.updated reason=")


async def test_operator_takes_an_event_away(
    work: Work, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async def end_it(_: Event, __: AsyncConnection) -> None:
        await change(engine, "UPDATE inbox_events SET state = 'dead'")

    async with work(Handler(end_it)) as worker:
        await worker.inbox.accept(event())
        await asyncio.to_thread(lines, caplog, "webhook taken over", 1)

    assert lines(caplog, "webhook processed") == []


async def test_failure_without_a_lease(
    work: Work, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async def lose_it(_: Event, __: AsyncConnection) -> None:
        await change(engine, "UPDATE inbox_events SET leased_by = 'another', attempts = 7")
        raise KeyError

    async with work(Handler(lose_it)) as worker:
        await worker.inbox.accept(event())
        await asyncio.to_thread(lines, caplog, "webhook not released", 1)

    assert (await stored(engine))["evt_1"].error is None


@pytest.mark.parametrize("number", range(20))
async def test_stop_right_after_the_start(engine: AsyncEngine, number: int) -> None:
    """No transaction that was cancelled keeps the lock of SQLite: the process leaves at once."""
    async with Worker(engine, HANDLERS) as worker:
        await worker.inbox.accept(event())
        await asyncio.sleep(number * 0.0005)
        stopping = asyncio.get_running_loop().time()
    seconds = asyncio.get_running_loop().time() - stopping

    assert seconds < 2
    assert (await stored(engine))["evt_1"].leased_by is None


@pytest.mark.parametrize(("error", "more"), [(None, " repeated=true"), ("KeyError", "")])
async def test_repetition_is_logged(
    work: Work, engine: AsyncEngine, caplog: pytest.LogCaptureFixture, error: str | None, more: str
) -> None:
    """An event that was claimed, and has not failed, ended its process."""
    await Inbox(engine, HANDLERS).accept(event())
    await change(engine, "UPDATE inbox_events SET attempts = 1, error = :error", error=error)
    async with work(SUCCEED):
        await until(engine, lambda row: row.state == "done")

    assert lines(caplog, "webhook processed") == [f"webhook processed {EVENT}{more}"]


async def test_lost_lease_rolls_back(
    work: Work, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """The process that took the event over writes."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait_and_keep(event: Event, connection: AsyncConnection) -> None:
        begun.set()
        await go_on.wait()
        await take_note(event, connection)

    async with work(Handler(wait_and_keep)) as worker:
        await worker.inbox.accept(event())
        await begun.wait()
        await change(engine, "UPDATE inbox_events SET leased_by = 'another'")
        go_on.set()

    assert await noted(engine) == []
    assert lines(caplog, "webhook") == [f"webhook taken over {EVENT} reason=LeaseLost"]


# A statement of some tenths of a second, whose rows are read when it ends
SLOW = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000000)
    SELECT count(*) FROM numbers
"""


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_timeout_inside_a_statement_frees_the_lock(
    work: Work, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the garbage collector: a cursor that is not finished keeps SQLite's lock."""
    monkeypatch.setattr("app.webhooks.worker.HANDLER_TIMEOUT", 0.05)

    attempts: list[Event] = []

    async def write_and_wait_once(event: Event, connection: AsyncConnection) -> None:
        await take_note(event, connection)
        if not attempts:
            attempts.append(event)
            await connection.execute(sa.text(SLOW))

    gc.disable()
    try:
        async with work(Handler(write_and_wait_once)) as worker:
            await worker.inbox.accept(event())
            row = await until(engine, lambda row: row.error is not None)
            await worker.inbox.accept(event("evt_2", "user.created"))
    finally:
        gc.enable()

    assert (row.state, row.error) == ("waiting", "TimeoutError")
