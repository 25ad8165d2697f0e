"""Processes stored events: runs their handlers, retries, and keeps what fails as dead letters.

A process leases an event by writing its own id into the row. The lease lasts while its heartbeats
show that the process is alive.
"""

import asyncio
import logging
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Self

import sqlalchemy as sa
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.webhooks.database import TIME_LIMIT, metadata, sql
from app.webhooks.events import DeliveryRefused, Handler, TryAgain, parse_event
from app.webhooks.inbox import DEAD, WAITING, Inbox, StoredEvent, events

logger = logging.getLogger("app.webhooks.worker")

HANDLER_TIMEOUT = 30.0  # seconds, as all times here
RETRY_DELAYS = (1.0, 4.0, 16.0, 60.0)  # the attempt after the last delay is the last
TRY_AGAIN_DELAY = 5.0
POLL = 1.0  # from one look for due events to the next
HEARTBEAT = 5.0  # from one heartbeat to the next
LEASE = 15.0  # from its last heartbeat until the events of a process are free
GRACE = 5.0  # for running handlers when the service stops
COUNT = 15.0  # from one count of the metrics to the next
MAX_RUNNING = 8  # events that a process works on at a time
MAX_ATTEMPTS = 10  # an event that is claimed more often ended its process each time

EVENTS = Gauge("inbox_events", "Stored events that are not processed", ["state"])

workers = sa.Table(
    "inbox_workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("seen_at", sa.Double, nullable=False),  # seconds since 1970
)
ALIVE = """
    INSERT INTO inbox_workers (id, seen_at) VALUES (:worker, :now)
    ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
"""
# A time further ahead than any delay is due too: it was written before a clock was set back.
# Events that this process leased and does not work on are free too: no outcome was written.
CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT id FROM inbox_events
        WHERE state = 'waiting' AND type IN :types AND id NOT IN :running
          AND (due_at <= :now OR due_at > :now + :max_delay)
          AND (leased_by = :worker OR COALESCE(leased_by, '') NOT IN (
            SELECT id FROM inbox_workers WHERE seen_at BETWEEN :now - :lease AND :now + :lease
          ))
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE inbox_events SET leased_by = :worker, attempts = attempts + 1
    WHERE id IN (SELECT id FROM due) RETURNING *
"""
RELEASE = """
    UPDATE inbox_events
    SET leased_by = NULL, state = :state, attempts = :attempts, error = :error,
        due_at = :now + :delay, finished_at = CASE :state WHEN 'waiting' THEN NULL ELSE :now END
    WHERE id = :id AND state = 'waiting' AND leased_by = :worker
"""


class DeadLetter(Exception):
    """The event cannot be processed. The text is a fixed word."""


class LeaseLost(Exception):
    """Another process has taken the event over, or an operator has changed it."""


class Worker:
    """Runs the handlers of due events while its block lasts. One for the life of the service."""

    def __init__(self, engine: AsyncEngine, handlers: Mapping[str, Handler]) -> None:
        self.inbox = Inbox(engine, handlers)
        self.engine = engine
        self._handlers = handlers
        self._id = uuid.uuid4().hex
        self._seen_at = float("-inf")
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.heartbeat()
        self.repeat(HEARTBEAT, "heartbeat", self.heartbeat)
        self.repeat(POLL, "claim", self.run)
        self.repeat(COUNT, "count", self.count)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give running handlers `GRACE` seconds to end, then cancel them and undo their claims."""
        self._stopping.set()
        self.inbox.wake_worker.set()
        # Not cancelled at once: a transaction that is cancelled may keep the lock of SQLite.
        ending = asyncio.gather(*self._tasks, *self._running.values(), return_exceptions=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(ending, GRACE)
        undo = sa.update(events).where(WAITING, events.c.leased_by == self._id)
        undo = undo.values(leased_by=None, attempts=events.c.attempts - 1)
        with suppress(sa.exc.SQLAlchemyError, TimeoutError):  # then the lease has to end first
            async with asyncio.timeout(TIME_LIMIT), self.engine.begin() as connection:
                await connection.execute(undo)
                await connection.execute(sa.delete(workers).where(workers.c.id == self._id))

    async def check(self) -> None:
        """Raise `DeliveryRefused` unless a heartbeat was committed lately."""
        if time.monotonic() - self._seen_at > LEASE / 2:
            raise DeliveryRefused(503, "heartbeat")

    async def heartbeat(self) -> None:
        """Show that this process is alive. Raises what the database raises."""
        async with asyncio.timeout(TIME_LIMIT), self.engine.begin() as connection:
            await connection.execute(sql(ALIVE, connection.dialect), {"worker": self._id})
        self._seen_at = time.monotonic()

    async def count(self) -> None:
        """Count the events that wait and the dead letters, for the metrics."""
        async with asyncio.timeout(TIME_LIMIT), self.engine.begin() as connection:
            for state, condition in (("waiting", WAITING), ("dead", DEAD)):
                number = sa.select(sa.func.count()).select_from(events).where(condition)
                EVENTS.labels(state).set(await connection.scalar(number) or 0)

    async def run(self) -> None:
        """Start handlers until the service stops. Raises what the database raises."""
        while not self._stopping.is_set():
            self.inbox.wake_worker.clear()
            free = MAX_RUNNING - len(self._running)
            for row in await self.claim(free) if free else ():
                if not self._stopping.is_set():  # else the claim is withdrawn
                    self._running[row.id] = asyncio.create_task(self._process(row))
            with suppress(TimeoutError):
                await asyncio.wait_for(self.inbox.wake_worker.wait(), POLL)

    def repeat(self, seconds: float, name: str, action: Callable[[], Awaitable[object]]) -> None:
        """Call `action` every so many seconds until the service stops. Log its failures."""

        async def repeat() -> None:
            while not self._stopping.is_set():
                try:
                    await action()
                except Exception as error:  # noqa: BLE001 - it may succeed the next time
                    logger.warning("%s failed reason=%s", name, type(error).__name__)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), seconds)

        self._tasks.append(asyncio.create_task(repeat()))

    async def claim(self, limit: int) -> Sequence[StoredEvent]:
        """Lease up to `limit` due events, the longest due first."""
        values = {"worker": self._id, "limit": limit, "lease": LEASE, "max_delay": RETRY_DELAYS[-1]}
        async with asyncio.timeout(TIME_LIMIT), self.engine.begin() as connection:
            claim = sql(CLAIM, connection.dialect).bindparams(
                sa.bindparam("types", list(self._handlers), sa.Text, expanding=True),
                sa.bindparam("running", list(self._running), sa.Text, expanding=True),
            )
            return (await connection.execute(claim, values)).all()

    async def _process(self, row: StoredEvent) -> None:
        """Handle an event, or write why it is not done."""
        try:
            await self._handle(row)
        except LeaseLost:
            log_event(logging.WARNING, "webhook taken over", row, reason="LeaseLost")
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # rather than something that it awaited
                raise
            try:
                await self._fail(row, error)
            except Exception as cause:  # noqa: BLE001 - this process claims the event again
                log_event(logging.WARNING, "webhook not released", row, reason=type(cause).__name__)
        finally:
            del self._running[row.id]
            if len(self._running) <= MAX_RUNNING / 2:  # one claim is for several events
                self.inbox.wake_worker.set()

    async def _handle(self, row: StoredEvent) -> None:
        handler = self._handlers[row.type]
        if row.attempts > MAX_ATTEMPTS:
            raise DeadLetter("attempts")
        if row.subject is None and handler.needs_subject:
            raise DeadLetter("no_subject")
        event = parse_event(row.body.encode(), row.sent_at, row.received_at)
        event = event._replace(subject=row.subject, occurred_at=row.occurred_at)
        async with asyncio.timeout(HANDLER_TIMEOUT), self.engine.begin() as connection:
            await handler.run(event, connection)
            await self._release(connection, row, state="done")
            # Logged before the commit: a crash can repeat the record, but not lose it.
            # Claimed before and not failed: a process was killed over it.
            extra = {"repeated": True} if row.attempts > 1 and row.error is None else {}
            log_event(logging.INFO, "webhook processed", row, **extra)

    async def _fail(self, row: StoredEvent, error: BaseException | None) -> None:
        """Log a failed attempt by its type, not its text, and write what becomes of its event."""
        reason = str(error) if isinstance(error, DeadLetter) else type(error).__name__
        level, words = logging.WARNING, "webhook not processed yet"
        outcome: dict[str, object] = {"error": reason}
        if isinstance(error, TryAgain):
            outcome = {"attempts": row.attempts - 1, "error": row.error, "delay": TRY_AGAIN_DELAY}
        elif row.attempts <= len(RETRY_DELAYS) and not isinstance(error, DeadLetter):
            outcome["delay"] = RETRY_DELAYS[row.attempts - 1]
        else:
            level, words, outcome["state"] = logging.ERROR, "webhook dead", "dead"
        log_event(level, words, row, reason=reason)
        # A statement that did not end keeps the lock of SQLite while a frame has its cursor.
        while error is not None:
            traceback.clear_frames(error.__traceback__)
            error = error.__context__
        async with asyncio.timeout(TIME_LIMIT), self.engine.begin() as connection:
            await self._release(connection, row, **outcome)

    async def _release(self, connection: AsyncConnection, row: StoredEvent, **more: object) -> None:
        """Write the outcome of an attempt and end the lease. Raises `LeaseLost`."""
        outcome = {"state": "waiting", "attempts": row.attempts, "error": None, "delay": 0, **more}
        values = {"id": row.id, "worker": self._id, **outcome}
        if (await connection.execute(sql(RELEASE, connection.dialect), values)).rowcount != 1:
            raise LeaseLost


def log_event(level: int, words: str, row: StoredEvent, **more: object) -> None:
    """Log what happened to an event. The values are attributes of the record, too."""
    extra = {"event_id": row.id, "event_type": row.type, **more}
    values = [f"{name}={'true' if value is True else value}" for name, value in extra.items()]
    logger.log(level, "%s %s", words, " ".join(values), extra=extra)
