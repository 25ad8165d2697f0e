"""How often a handler is called, and what is logged of it."""

import asyncio

import pytest

from app.events import Event
from app.handlers import TryAgain
from app.processing import MAX_HANDLERS, MAX_STARTS, EventFailed, Processing
from tests.callers import NOW, Clock
from tests.webhooks.conftest import Log, body


class Handler:
    """Fails as often as it is told, and notes what it was called with."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.calls: list[tuple[str, str, float]] = []

    async def __call__(self, event: Event, subject: str, at: float) -> None:
        self.calls.append((event.id, subject, at))
        if len(self.calls) <= self.failures:
            raise ValueError("hunter2")


def processing(handler: Handler, *pauses: float) -> Processing:
    """Return the processing of one type of event."""
    return Processing({"user.updated": handler}, Clock(), pauses=pauses, timeout=0.05)


@pytest.mark.anyio
async def test_a_handler_learns_whom_and_when() -> None:
    handler = Handler()
    await processing(handler).process(body(), NOW - 5)

    assert handler.calls == [("evt_1", "anna", NOW - 5)]


@pytest.mark.anyio
async def test_a_failure_is_tried_again(log: Log) -> None:
    """W12: until it succeeds, and without a word of what the handler said."""
    handler = Handler(failures=2)
    await processing(handler, 0, 0, 0).process(body(), NOW)

    assert len(handler.calls) == 3
    assert log.lines == [
        "webhook not processed yet event_id=evt_1 event_type=user.updated reason=ValueError",
        "webhook not processed yet event_id=evt_1 event_type=user.updated reason=ValueError",
        "webhook processed event_id=evt_1 event_type=user.updated",
    ]
    assert all(record.exc_info is None for record in log.records)


@pytest.mark.anyio
async def test_between_attempts_there_is_a_pause() -> None:
    handler = Handler(failures=1)
    task = asyncio.create_task(processing(handler, 60).process(body(), NOW))
    await asyncio.sleep(0.02)
    calls = len(handler.calls)
    task.cancel()

    assert calls == 1


@pytest.mark.anyio
async def test_in_the_end_it_is_a_dead_letter(log: Log) -> None:
    handler = Handler(failures=9)
    with pytest.raises(EventFailed, match=r"^ValueError$"):
        await processing(handler, 0).process(body(), NOW)

    assert len(handler.calls) == 2
    assert log.lines[-1] == "webhook dead event_id=evt_1 event_type=user.updated reason=ValueError"


@pytest.mark.anyio
async def test_without_a_subject_it_is_one_at_once(log: Log) -> None:
    """Never a silent success: somebody was to lose something, and nobody knows who."""
    handler = Handler()
    with pytest.raises(EventFailed, match=r"^no_subject$"):
        await processing(handler, 0, 0).process(body(user_id=7), NOW)

    assert handler.calls == []
    assert log.lines == ["webhook dead event_id=evt_1 event_type=user.updated reason=no_subject"]


@pytest.mark.anyio
async def test_an_event_that_ends_the_process_each_time_is_one_too() -> None:
    handler = Handler()
    await processing(handler).process(body(), NOW, MAX_STARTS)
    with pytest.raises(EventFailed, match=r"^starts$"):
        await processing(handler).process(body(), NOW, MAX_STARTS + 1)

    assert len(handler.calls) == 1


@pytest.mark.anyio
async def test_after_a_crash_the_record_says_so(log: Log) -> None:
    await processing(Handler()).process(body(), NOW, 2)

    assert log.lines == ["webhook processed event_id=evt_1 event_type=user.updated repeated=true"]
    assert vars(log.records[0])["repeated"] is True


@pytest.mark.anyio
async def test_a_handler_that_hangs_is_given_up() -> None:
    """What it would come to later is not waited for."""

    async def hang(event: Event, subject: str, at: float) -> None:
        await asyncio.sleep(1)

    hanging = Processing({"user.updated": hang}, Clock(), pauses=(), timeout=0.01)
    with pytest.raises(EventFailed, match=r"^TimeoutError$"):
        await hanging.process(body(), NOW)


@pytest.mark.anyio
async def test_a_burst_of_events_does_not_take_all_of_the_service() -> None:
    """Handlers run side by side, but only so many of them."""
    running, most, go_on = 0, 0, asyncio.Event()

    async def count(event: Event, subject: str, at: float) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go_on.wait()
        running -= 1

    burst = Processing({"user.updated": count}, Clock(), pauses=())
    events = [burst.process(body(f"evt_{number}"), NOW) for number in range(3 * MAX_HANDLERS)]
    tasks = asyncio.gather(*events)
    await asyncio.sleep(0.02)
    go_on.set()
    await tasks

    assert most == MAX_HANDLERS


@pytest.mark.anyio
async def test_a_burst_of_one_type_does_not_hold_up_the_others() -> None:
    """A user who is gone does not wait for many who changed."""
    go_on, handler = asyncio.Event(), Handler()

    async def hang(event: Event, subject: str, at: float) -> None:
        await go_on.wait()

    busy = Processing({"user.updated": hang, "user.deleted": handler}, Clock(), pauses=())
    updates = [busy.process(body(f"evt_{number}"), NOW) for number in range(MAX_HANDLERS)]
    tasks = asyncio.gather(*updates)
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await busy.process(body("gone", "user.deleted"), NOW)
    go_on.set()
    await tasks

    assert handler.calls == [("gone", "anna", NOW)]


@pytest.mark.anyio
async def test_what_a_handler_waits_for_may_be_cancelled(log: Log) -> None:
    """By somebody else: the handler has failed like any other."""

    async def wait(event: Event, subject: str, at: float) -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        asyncio.get_running_loop().call_soon(task.cancel)
        await task

    waiting = Processing({"user.updated": wait}, Clock(), pauses=(0,))
    with pytest.raises(EventFailed, match=r"^CancelledError$"):
        await waiting.process(body(), NOW)

    assert len(log.saying("webhook not processed yet")) == 1


@pytest.mark.anyio
async def test_the_end_of_the_service_is_no_failure(log: Log) -> None:
    """What was under way is done after the next start."""

    async def hang(event: Event, subject: str, at: float) -> None:
        await asyncio.sleep(60)

    hanging = Processing({"user.updated": hang}, Clock(), pauses=())
    task = asyncio.create_task(hanging.process(body(), NOW))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert log.lines == []


class Unfinished(Handler):
    """Asks to be called again as often as it is told."""

    async def __call__(self, event: Event, subject: str, at: float) -> None:
        self.calls.append((event.id, subject, at))
        if len(self.calls) <= self.failures:
            raise TryAgain


@pytest.mark.anyio
async def test_what_must_not_fail_is_tried_until_it_does_not(log: Log) -> None:
    """More often than a failure, and then it is done like any other."""
    handler = Unfinished(failures=20)
    patient = Processing({"user.updated": handler}, Clock(), pauses=(), patient_pause=0)
    await patient.process(body(), NOW)

    assert len(handler.calls) == 21
    assert log.lines[0].endswith("reason=unfinished")
    assert log.lines[-1] == "webhook processed event_id=evt_1 event_type=user.updated"
