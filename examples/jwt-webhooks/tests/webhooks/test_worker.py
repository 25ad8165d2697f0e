"""Processing: a handler's writes are committed with the event's state, and failures are retried."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.webhooks.database import sql
from app.webhooks.events import Event, Handler, TryAgain
from app.webhooks.inbox import Inbox, StoredEvent
from app.webhooks.worker import Worker
from tests.webhooks.conftest import HANDLERS, change, event, lines, noted, stored, take_note

pytestmark = pytest.mark.anyio

Work = Callable[[Handler], AbstractAsyncContextManager[Worker]]
EVENT = "event_id=evt_1 event_type=user.updated"


@pytest.fixture
def work(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Run a worker with this handler for `user.updated`, and with short waits."""
    monkeypatch.setattr("app.webhooks.worker.POLL", 0.05)
    monkeypatch.setattr("app.webhooks.worker.HANDLER_TIMEOUT", 1)
    return lambda handler: Worker(engine, {"user.updated": handler})


async def until(engine: AsyncEngine, happened: Callable[[StoredEvent], bool]) -> StoredEvent:
    """Return the row of the event as soon as something has happened to it."""
    async with asyncio.timeout(30):
        while not happened(row := (await stored(engine))["evt_1"]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return row


async def now_of(engine: AsyncEngine) -> float:
    async with engine.connect() as connection:
        return float(await connection.scalar(sql("SELECT :now", connection.dialect)))


async def succeed(_: Event, __: AsyncConnection) -> None:
    """Do nothing."""


async def fail(_: Event, __: AsyncConnection) -> None:
    raise KeyError("anna")


async def fail_for_now(_: Event, __: AsyncConnection) -> None:
    raise TryAgain


async def hang(_: Event, __: AsyncConnection) -> None:
    await asyncio.Event().wait()


SUCCEED, FAIL, FAIL_FOR_NOW, HANG = map(Handler, (succeed, fail, fail_for_now, hang))
OUTCOMES: dict[str, tuple[Handler, int, tuple[str, int, str | None], float]] = {
    "success": (SUCCEED, 0, ("done", 1, None), 0),
    "first failure": (FAIL, 0, ("waiting", 1, "KeyError"), 1),
    "second": (FAIL, 1, ("waiting", 2, "KeyError"), 4),
    "third": (FAIL, 2, ("waiting", 3, "KeyError"), 16),
    "fourth": (FAIL, 3, ("waiting", 4, "KeyError"), 60),
    "fifth": (FAIL, 4, ("dead", 5, "KeyError"), 0),
    "try again": (FAIL_FOR_NOW, 0, ("waiting", 0, None), 5),
    "try again after ten attempts": (FAIL_FOR_NOW, 9, ("waiting", 9, None), 5),
    "timeout": (HANG, 0, ("waiting", 1, "TimeoutError"), 1),
    "killed its process ten times": (SUCCEED, 10, ("dead", 11, "attempts"), 0),
}


@pytest.mark.parametrize(
    ("handler", "attempts", "outcome", "delay"), OUTCOMES.values(), ids=OUTCOMES
)
async def test_outcome(
    work: Work,
    engine: AsyncEngine,
    caplog: pytest.LogCaptureFixture,
    handler: Handler,
    attempts: int,
    outcome: tuple[str, int, str | None],
    delay: float,
) -> None:
    """State, attempts, error and when it is due. No text of an exception is logged."""
    await Inbox(engine, HANDLERS).accept(event())
    await change(engine, "UPDATE inbox_events SET due_at = 0, attempts = :n", n=attempts)
    started = await now_of(engine)
    async with work(handler):
        row = await until(engine, lambda row: row.due_at != 0)

    assert (row.state, row.attempts, row.error) == outcome
    assert started + delay <= row.due_at <= await now_of(engine) + delay
    assert len(lines(caplog, "webhook dead")) == (row.state == "dead")
    assert "anna" not in caplog.text


@pytest.mark.parametrize(("needs_subject", "state"), [(True, "dead"), (False, "done")])
async def test_event_without_a_subject(
    work: Work, engine: AsyncEngine, needs_subject: bool, state: str
) -> None:
    async with work(Handler(succeed, needs_subject)) as worker:
        await worker.inbox.accept(event(data={"invoice_id": 7}))

        assert (await until(engine, lambda row: row.state != "waiting")).state == state


async def test_handler_gets_the_event(
    work: Work, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Event] = []

    async def see(event: Event, _: AsyncConnection) -> None:
        seen.append(event)

    sent = event(data={"user_id": "anna", "score": 1})
    async with work(Handler(see)) as worker:
        await worker.inbox.accept(sent)
        await until(engine, lambda row: row.state == "done")
    (record,) = [record for record in caplog.records if "processed" in record.message]

    assert seen == [sent]
    assert record.message == f"webhook processed {EVENT}"
    assert (vars(record)["event_id"], vars(record)["event_type"]) == ("evt_1", "user.updated")


async def test_failed_handler_writes_nothing(work: Work, engine: AsyncEngine) -> None:
    """What a handler writes is committed with the state of its event, or not at all."""

    async def keep_and_fail(event: Event, connection: AsyncConnection) -> None:
        await take_note(event, connection)
        raise KeyError

    async with work(Handler(keep_and_fail)) as worker:
        await worker.inbox.accept(event())
        await until(engine, lambda row: row.error is not None)
    after_failure = await noted(engine)
    await change(engine, "UPDATE inbox_events SET due_at = 0")
    async with work(Handler(take_note)):
        await until(engine, lambda row: row.state == "done")

    assert (after_failure, await noted(engine)) == ([], ["evt_1"])


@pytest.mark.parametrize(("seconds", "state", "attempts"), [(0.1, "done", 1), (60, "waiting", 0)])
async def test_stop_while_a_handler_runs(
    work: Work,
    engine: AsyncEngine,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    state: str,
    attempts: int,
) -> None:
    """It may end within the grace period. Otherwise it is as if it had not been called."""
    monkeypatch.setattr("app.webhooks.worker.HANDLER_TIMEOUT", 100)
    monkeypatch.setattr("app.webhooks.worker.GRACE", 1)
    begun = asyncio.Event()

    async def keep_slowly(event: Event, connection: AsyncConnection) -> None:
        await take_note(event, connection)
        begun.set()
        await asyncio.sleep(seconds)

    async with work(Handler(keep_slowly)) as worker:
        await worker.inbox.accept(event())
        await begun.wait()
    row = (await stored(engine))["evt_1"]

    assert (row.state, row.attempts, row.leased_by) == (state, attempts, None)
    assert len(await noted(engine)) == attempts
