"""The inbox: an event is stored before its sender gets an answer, and processed after it."""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from app.webhooks.database import TIME_LIMIT, TIMEOUT, metadata, sql
from app.webhooks.events import DeliveryRefused, Event, parse_event

logger = logging.getLogger("app.webhooks.inbox")
MAX_PENDING = 1000  # deliveries that may wait for the transaction before theirs

# All times are in seconds since 1970.
events = sa.Table(
    "inbox_events",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # so a retry of the sender is the same event
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
StoredEvent = sa.Row[Any]  # a row of `inbox_events`, whose attributes are the columns

# Literals, which SQLite needs to use a partial index
WAITING, DONE, DEAD = (sa.text(f"state = '{state}'") for state in ("waiting", "done", "dead"))
sa.Index("inbox_events_due", events.c.due_at, sqlite_where=WAITING, postgresql_where=WAITING)
sa.Index("inbox_events_done", events.c.finished_at, sqlite_where=DONE, postgresql_where=DONE)
sa.Index("inbox_events_dead", events.c.finished_at, sqlite_where=DEAD, postgresql_where=DEAD)

STORE = """
    INSERT INTO inbox_events
        (id, type, subject, occurred_at, body, sent_at, received_at, due_at, state, attempts)
    VALUES (:id, :type, :subject, :occurred_at, :body, :sent_at, :now, :now, 'waiting', 0)
    ON CONFLICT DO NOTHING
"""


class Inbox:
    """Stores events of some `types`. One for the life of the service."""

    def __init__(self, engine: AsyncEngine, types: Collection[str]) -> None:
        self.wake_worker = asyncio.Event()
        self._engine = engine
        self._types = types
        self._pending: list[Event] = []
        self._commit: asyncio.Task[Mapping[str, StoredEvent]]
        self._committing = asyncio.Lock()

    async def accept(self, event: Event) -> StoredEvent | None:
        """Return what is stored under the id of `event`, or `None` if its type is not stored.

        Raises `DeliveryRefused`: 409 for the id of another event, 503 if it is perhaps not stored.
        """
        if event.type not in self._types:
            logger.info("webhook ignored event_id=%s event_type=%s", event.id, event.type)
            return None
        if len(self._pending) >= MAX_PENDING:
            raise DeliveryRefused(503, "full")
        if not self._pending:
            self._commit = asyncio.create_task(self._commit_pending())
            # It may fail after all its senders have gone.
            self._commit.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._pending.append(event)
        commit = self._commit
        # Not `wait_for`, which would cancel the transaction that others wait for too
        await asyncio.wait([commit], timeout=TIMEOUT)
        if not commit.done():
            raise DeliveryRefused(503, "timeout")
        if (row := commit.result().get(event.id)) is None:
            raise DeliveryRefused(503, "purged")  # by another process, during the commit
        check_same_event(event, row)
        return row

    async def _commit_pending(self) -> Mapping[str, StoredEvent]:
        """Insert the pending events whose ids are new. Return the rows of all, by id."""
        async with self._committing:  # more become pending while another transaction runs
            batch, self._pending = self._pending, []
            known = sa.select(events).where(events.c.id.in_([event.id for event in batch]))
            try:
                async with asyncio.timeout(TIME_LIMIT), self._engine.begin() as connection:
                    new = [event._asdict() for event in batch]
                    await connection.execute(sql(STORE, connection.dialect), new)
                    rows = (await connection.execute(known)).all()
            except Exception as error:  # noqa: BLE001 - whatever it is, the sender must retry
                raise DeliveryRefused(503, type(error).__name__) from None
        self.wake_worker.set()
        return {row.id: row for row in rows}


def check_same_event(event: Event, row: StoredEvent) -> None:
    """Refuse an event whose id is stored with another type or subject."""
    # Read again, as an earlier release may have looked for the subject elsewhere.
    stored = parse_event(row.body.encode(), row.sent_at, row.received_at)
    subjects = {event.subject, stored.subject} - {None}
    if event.type != stored.type or len(subjects) > 1:
        log_reuse(event.id, int(time.time() // 3600))
        raise DeliveryRefused(409, "id_reused")


@lru_cache(maxsize=1000)
def log_reuse(event_id: str, hour: int) -> None:
    """Log that one of two events is lost. It does so once an hour for each id."""
    logger.error("webhook id belongs to another event event_id=%s", event_id)


async def purge(engine: AsyncEngine, days: float, *conditions: sa.TextClause) -> int:
    """Delete the events that ended `days` ago and meet all `conditions`. Return how many."""
    ended = sql("finished_at < :now - 86400 * :days", engine.dialect).bindparams(days=days)
    async with engine.begin() as connection:
        return (await connection.execute(sa.delete(events).where(*conditions, ended))).rowcount
