"""Keeps the revocations in memory up to date with the inbox, which is their source of truth.

A process applies its own deliveries right after their commit. It polls the table for those of the
others. It does not wait for handlers.
"""

import asyncio
import logging
import uuid

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from app.auth.revocations import LIFTED_BY, REVOCATION_EVENTS, RevocableVerifier
from app.webhooks.database import TIME_LIMIT, sql
from app.webhooks.events import Event, Handler
from app.webhooks.inbox import StoredEvent, events, purge
from app.webhooks.worker import Worker

logger = logging.getLogger("app.webhooks.revocations")

OVERLAP = 60.0  # seconds that a poll looks back, as rows are not committed in the order of receipt
RELOAD = 600.0  # seconds until all rows are read again
PAGE = 1000  # rows that are read at a time, so that requests need not wait for all

TYPES = ", ".join(f"'{name}'" for name in REVOCATION_EVENTS)
WHERE = sa.text(f"type IN ({TYPES})")
sa.Index(
    "inbox_events_revocations", events.c.received_at, sqlite_where=WHERE, postgresql_where=WHERE
)


class RevocationFeed:
    """Applies stored events to the verifier. One for the life of the service."""

    def __init__(self, worker: Worker, verifier: RevocableVerifier) -> None:
        self._worker = worker
        self._verifier = verifier
        self._since = self._loaded_at = 0.0

    async def accept(self, event: Event) -> StoredEvent | None:
        """Let the inbox accept an event, which counts before its sender gets an answer."""
        if (row := await self._worker.inbox.accept(event)) is not None:
            self._verifier.apply(row.type, row.subject, row.occurred_at)
        return row

    async def poll(self) -> None:
        """Apply new rows; at first, after a failure and every `RELOAD` seconds, all rows.

        Raises what the database raises.
        """
        since, self._since = self._since, 0.0
        async with asyncio.timeout(TIME_LIMIT) as end, self._worker.engine.begin() as connection:
            now: float = await connection.scalar(sql("SELECT :now", connection.dialect))
            # The earlier of the two, in case a clock was set
            since = min(since, now - OVERLAP) if abs(now - self._loaded_at) < RELOAD else 0.0
            columns = (events.c.type, events.c.subject, events.c.occurred_at)
            query = sa.select(*columns).where(WHERE, events.c.received_at > since)
            rows = await connection.stream(query.execution_options(yield_per=PAGE))
            async for page in rows.partitions():
                for row in page:
                    self._verifier.apply(*row)
                end.reschedule(asyncio.get_running_loop().time() + TIME_LIMIT)
        if since == 0:
            self._verifier.end_reload()
            self._loaded_at = now
        self._since = now - OVERLAP


REVOKING = dict.fromkeys(REVOCATION_EVENTS, Handler(lambda *_: asyncio.sleep(0)))
"""Handlers that do nothing, for the types without one: only events with a handler are stored."""


async def purge_expired(engine: AsyncEngine, days: float, state: sa.TextClause, ttl: float) -> int:
    """Purge events in `state`, but keep those that revoke or lift for at least `ttl` seconds."""
    others = sql(f"NOT (type IN ({TYPES}) AND occurred_at > :now - :ttl)", engine.dialect)
    return await purge(engine, days, state, others.bindparams(ttl=ttl))


async def lift(engine: AsyncEngine, subject: str) -> None:
    """Store the events that lift the deletion and the disabling of a user, as processed."""
    times = ("occurred_at", "sent_at", "received_at", "due_at", "finished_at")
    async with engine.begin() as connection:
        now = await connection.scalar(sql("SELECT :now", connection.dialect))
        for event_type in LIFTED_BY.values():
            event = {"id": f"lift_{uuid.uuid4().hex}", "type": event_type, "subject": subject}
            row = {**event, "body": "{}", "state": "done", "attempts": 0}
            await connection.execute(sa.insert(events).values(row | dict.fromkeys(times, now)))
    logger.warning("revocations lifted subject=%s", subject)
