"""Processes stored events: runs their handlers, retries, and keeps what fails as dead letters."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.background import is_being_cancelled, repeating
from app.webhooks.events import Event, parse_event
from app.webhooks.inbox import Inbox, LeaseLost, Outcome, StoredEvent

logger = logging.getLogger("app.webhooks.worker")

HANDLER_TIMEOUT = 30.0  # seconds, as all times here
RETRY_DELAYS = (1.0, 4.0, 16.0, 60.0)  # the attempt after the last delay is the last
TRY_AGAIN_DELAY = 5.0
POLL = 1.0  # from one look for due events to the next
HEARTBEAT = 5.0  # from one heartbeat to the next
GRACE = 5.0  # for running handlers when the service stops
MAX_RUNNING = 8  # events that a process works on at a time
MAX_ATTEMPTS = 10  # an event that is claimed more often ended its process each time


class TryAgain(Exception):
    """Raised by a handler to be called again until it succeeds, however long that takes."""


class DeadLetter(Exception):
    """The event cannot be processed. The text is a fixed word."""


@dataclass(frozen=True, slots=True)
class Handler:
    """What is done with the events of a type.

    `run` gets the event and the connection of the transaction that marks it as done. If it needs a
    subject, an event without one is a dead letter.
    """

    run: Callable[[Event, AsyncConnection], Awaitable[None]]
    needs_subject: bool = True


class Worker:
    """Runs the handlers of due events. One for the life of the service."""

    def __init__(self, inbox: Inbox, handlers: Mapping[str, Handler]) -> None:
        self._inbox = inbox
        self._handlers = handlers
        self._running: dict[str, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._has_backlog = False

    def wake(self, _: StoredEvent) -> None:
        """Look for due events now, as one was stored."""
        self._woken.set()

    async def run(self) -> None:
        """Start handlers until cancelled. Raises what the database raises."""
        while True:
            self._woken.clear()
            free = MAX_RUNNING - len(self._running)
            rows = await self._inbox.claim(self._handlers, free, self._running) if free else []
            self._has_backlog = len(rows) == free
            for row in rows:
                self._running[row.id] = task = asyncio.create_task(self._process(row), name=row.id)
                task.add_done_callback(self._ended)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL / 20 if self._has_backlog else POLL):
                    await self._woken.wait()

    async def stop(self) -> None:
        """Give running handlers `GRACE` seconds to end, then cancel them."""
        if self._running:
            _, late = await asyncio.wait(self._running.values(), timeout=GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task.get_name()]
        # With a backlog, one claim is for several events.
        if self._has_backlog and len(self._running) <= MAX_RUNNING / 2:
            self._woken.set()

    async def _process(self, row: StoredEvent) -> None:
        """Handle an event, or write why it is not done."""
        try:
            await self._handle(row)
        except LeaseLost:
            log_event(logging.WARNING, "webhook taken over", row, reason="LeaseLost")
        except (Exception, asyncio.CancelledError) as error:
            if is_being_cancelled():
                raise
            try:
                async with self._inbox.database.engine.begin() as connection:
                    await self._inbox.release(connection, row.id, outcome_of(row, error))
            # The event stays leased by this process, which claims it again.
            except Exception as cause:  # noqa: BLE001
                log_event(logging.WARNING, "webhook not released", row, reason=type(cause).__name__)

    async def _handle(self, row: StoredEvent) -> None:
        handler = self._handlers[row.type]
        if row.attempts > MAX_ATTEMPTS:
            raise DeadLetter("attempts")
        if row.subject is None and handler.needs_subject:
            raise DeadLetter("no_subject")
        event = parse_event(row.body.encode(), row.sent_at, row.received_at)
        event = replace(event, subject=row.subject, occurred_at=row.occurred_at)
        async with self._inbox.database.engine.begin() as connection:
            async with asyncio.timeout(HANDLER_TIMEOUT):
                await handler.run(event, connection)
            await self._inbox.release(connection, row.id, Outcome("done", row.attempts))
            # Logged before the commit: a crash can repeat the record, but not lose it.
            # Claimed before and not failed: a process was killed over it.
            extra = {"repeated": True} if row.attempts > 1 and row.error is None else {}
            log_event(logging.INFO, "webhook processed", row, **extra)


def outcome_of(row: StoredEvent, error: BaseException) -> Outcome:
    """Log a failed attempt by its type, not its text, and return what becomes of its event."""
    reason = str(error) if isinstance(error, DeadLetter) else type(error).__name__
    is_last = isinstance(error, DeadLetter) or row.attempts > len(RETRY_DELAYS)
    if is_last and not isinstance(error, TryAgain):
        log_event(logging.ERROR, "webhook dead", row, reason=reason)
        return Outcome("dead", row.attempts, error=reason)
    log_event(logging.WARNING, "webhook not processed yet", row, reason=reason)
    if isinstance(error, TryAgain):
        return Outcome("waiting", row.attempts - 1, TRY_AGAIN_DELAY, row.error)
    return Outcome("waiting", row.attempts, RETRY_DELAYS[row.attempts - 1], reason)


def log_event(level: int, words: str, row: StoredEvent, **more: object) -> None:
    """Log what happened to an event. The values are attributes of the record, too."""
    extra = {"event_id": row.id, "event_type": row.type, **more}
    values = [f"{name}={'true' if value is True else value}" for name, value in extra.items()]
    logger.log(level, "%s %s", words, " ".join(values), extra=extra)


@asynccontextmanager
async def run_worker(inbox: Inbox, handlers: Mapping[str, Handler]) -> AsyncIterator[None]:
    """Process events while the block lasts. Raises what the database raises at the start."""
    worker = Worker(inbox, handlers)
    inbox.on_stored.append(worker.wake)
    await inbox.heartbeat()
    async with repeating(HEARTBEAT, "heartbeat", inbox.heartbeat):
        try:
            async with repeating(POLL, "claim", worker.run):
                yield
        finally:
            await worker.stop()
            with suppress(SQLAlchemyError):  # others take its events over when the lease has ended
                await inbox.leave()
