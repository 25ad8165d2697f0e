"""The inbox: an event is stored before its sender gets an answer, and processed after it.

The event's id is the key of its row, so a retry of the sender is the same event. A process leases
an event by writing its own id into the row. The lease lasts while its heartbeats show that the
process is alive.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.database import TIMEOUT, Database, metadata, partial_index
from app.webhooks.errors import DeliveryRefused
from app.webhooks.events import Event, parse_event

logger = logging.getLogger("app.webhooks.inbox")
MAX_PENDING = 1000  # deliveries that may wait while the database does not answer
MAX_BATCH = 100  # deliveries that share a transaction
LEASE = 15.0  # seconds after its last heartbeat that a process keeps its events
MAX_DELAY = 60.0  # seconds to the next attempt at an event, at most

# All times are in seconds since 1970.
events = sa.Table(
    "inbox_events",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text),
    sa.Column("occurred_at", sa.Double, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("sent_at", sa.Double, nullable=False),
    sa.Column("received_at", sa.Double, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # waiting, done or dead
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", sa.Double, nullable=False),
    sa.Column("leased_by", sa.Text),
    sa.Column("finished_at", sa.Double),
    sa.Column("error", sa.Text),
)
workers = sa.Table(
    "inbox_workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("seen_at", sa.Double, nullable=False),
)
StoredEvent = sa.Row[Any]  # a row of `inbox_events`, whose attributes are the columns

partial_index("inbox_events_due", events.c.due_at, "state = 'waiting'")
partial_index("inbox_events_done", events.c.finished_at, "state = 'done'")

STORE = """
    INSERT INTO inbox_events (
        id, type, subject, occurred_at, body, sent_at, received_at, due_at, state, attempts
    ) VALUES (
        :id, :type, :subject, :occurred_at, :body, :sent_at, :now, :now, 'waiting', 0
    ) ON CONFLICT DO NOTHING
"""
HEARTBEAT = """
    INSERT INTO inbox_workers (id, seen_at) VALUES (:worker, :now)
    ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
"""
# Due are also times further ahead than any delay, which were written before a clock was set back.
# Free are also events of this process that it does not work on, whose outcome was not written.
CLAIM = """
    WITH due AS MATERIALIZED (
        SELECT id FROM inbox_events
        WHERE state = 'waiting' AND type IN :types AND id NOT IN :running
          AND (due_at <= :now OR due_at > :now + :max_delay)
          AND (leased_by = :worker OR NOT EXISTS (
            SELECT 1 FROM inbox_workers WHERE inbox_workers.id = leased_by
              AND seen_at BETWEEN :now - :lease AND :now + :lease
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
UNDO = """
    UPDATE inbox_events SET leased_by = NULL, attempts = attempts - 1
    WHERE state = 'waiting' AND leased_by = :worker
"""


class Outcome(NamedTuple):
    """What an attempt ends with: the event is `done`, `dead`, or `waiting` for `delay` seconds."""

    state: str
    attempts: int
    delay: float = 0
    error: str | None = None


class LeaseLost(Exception):
    """Another process has taken the event over, or an operator has changed it."""


class Inbox:
    """The stored events, and the leases of this process. One for the life of the service."""

    def __init__(self, database: Database) -> None:
        self.database = database
        # Called with each event right after its commit, and again with each duplicate
        self.on_stored: list[Callable[[StoredEvent], None]] = []
        self._worker = uuid.uuid4().hex
        self._failure: str | None = "no_heartbeat"
        self._pending: list[tuple[Event, asyncio.Future[StoredEvent]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def accept(self, event: Event) -> None:
        """Return when `event` is committed. Concurrent deliveries share a transaction.

        Raises `DeliveryRefused`: 409 if the id belongs to another event, 503 if the event may not
        be stored.
        """
        if len(self._pending) >= MAX_PENDING:
            raise DeliveryRefused(503, "full")
        stored: asyncio.Future[StoredEvent] = asyncio.get_running_loop().create_future()
        self._pending.append((event, stored))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_pending())
        try:
            async with asyncio.timeout(TIMEOUT):
                row = await stored
        except TimeoutError:
            raise DeliveryRefused(503, "timeout") from None
        if event.body != row.body and not is_same_event(event, row):
            log_reuse(event.id, int(self.database.clock() // 3600))
            raise DeliveryRefused(409, "id_reused")

    async def check(self) -> None:
        """Raise `DeliveryRefused` unless the last heartbeat was committed."""
        if self._failure is not None:
            raise DeliveryRefused(503, self._failure)

    async def heartbeat(self) -> None:
        """Show that this process is alive. Raises what the database raises."""
        try:
            async with asyncio.timeout(TIMEOUT), self.database.engine.begin() as connection:
                await connection.execute(self.database.sql(HEARTBEAT), {"worker": self._worker})
        except Exception as error:
            self._failure = type(error).__name__
            raise
        self._failure = None

    async def leave(self) -> None:
        """Undo the claims of this process, which ends. Raises what the database raises."""
        async with self.database.engine.begin() as connection:
            await connection.execute(sa.text(UNDO), {"worker": self._worker})
            await connection.execute(sa.delete(workers).where(workers.c.id == self._worker))

    async def claim(
        self, types: Collection[str], limit: int, running: Collection[str]
    ) -> Sequence[StoredEvent]:
        """Lease up to `limit` due events of these types, the longest due first.

        `running` are the ids of the events that this process works on.
        """
        claim = self.database.sql(CLAIM).bindparams(
            sa.bindparam("types", list(types), sa.Text, expanding=True),
            sa.bindparam("running", list(running), sa.Text, expanding=True),
        )
        values = {"worker": self._worker, "limit": limit, "lease": LEASE, "max_delay": MAX_DELAY}
        async with self.database.engine.begin() as connection:
            return (await connection.execute(claim, values)).all()

    async def release(self, connection: AsyncConnection, event_id: str, outcome: Outcome) -> None:
        """Write the outcome of an attempt and end the lease. Raises `LeaseLost`."""
        values = {"id": event_id, "worker": self._worker, **outcome._asdict()}
        if (await connection.execute(self.database.sql(RELEASE), values)).rowcount != 1:
            raise LeaseLost

    async def _commit_pending(self) -> None:
        while self._pending:
            batch, self._pending = self._pending[:MAX_BATCH], self._pending[MAX_BATCH:]
            try:
                rows = await self._insert([event for event, _ in batch])
            # Whatever the database raises, the sender must retry.
            except Exception as error:  # noqa: BLE001
                for _, stored in batch:
                    if not stored.done():  # its sender still waits
                        stored.set_exception(DeliveryRefused(503, type(error).__name__))
                continue
            for event, stored in batch:
                for notify in self.on_stored:
                    notify(rows[event.id])
                if not stored.done():
                    stored.set_result(rows[event.id])

    async def _insert(self, batch: Sequence[Event]) -> dict[str, StoredEvent]:
        """Insert the events whose ids are new. Return the rows of all, by id."""
        columns = ("id", "type", "subject", "occurred_at", "body", "sent_at")
        new = [{name: getattr(event, name) for name in columns} for event in batch]
        known = sa.select(events).where(events.c.id.in_([event.id for event in batch]))
        async with self.database.engine.begin() as connection:
            await connection.execute(self.database.sql(STORE), new)
            return {row.id: row for row in await connection.execute(known)}


@lru_cache(maxsize=1000)
def log_reuse(event_id: str, hour: int) -> None:
    """Log that one of two events is lost. A repeated call does nothing: once an hour and id."""
    logger.error("webhook id belongs to another event event_id=%s", event_id)


def is_same_event(event: Event, row: StoredEvent) -> bool:
    """Tell whether `event` is the stored one: of its type, and not about another subject."""
    # Read again, as an earlier release may have looked for the subject elsewhere.
    subject = parse_event(row.body.encode(), row.sent_at, row.received_at).subject
    return event.type == row.type and (event.subject == subject or None in (event.subject, subject))
