"""Keeps the revocations in memory up to date with the inbox, which is their source of truth.

A process applies its own deliveries right after their commit. It polls the table for those of the
others. No handler need run for it.
"""

import uuid
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.revocations import LIFTED, REVOCATION_EVENTS, Revocations
from app.database import Database, partial_index
from app.webhooks.events import Event
from app.webhooks.inbox import StoredEvent, events
from app.webhooks.worker import Handler

OVERLAP = 60.0  # seconds that a poll looks back, as rows are not committed in the order of receipt
RELOAD = 600.0  # seconds until all rows are read again
PAGE = 1000  # rows that are read at a time

IS_REVOCATION = "type IN ({})".format(", ".join(f"'{name}'" for name in REVOCATION_EVENTS))
partial_index("inbox_events_revocations", events.c.received_at, IS_REVOCATION)

LIFT = """
    INSERT INTO inbox_events (
        id, type, subject, occurred_at, body, sent_at, received_at, due_at, state, attempts,
        finished_at
    ) VALUES (:id, :type, :subject, :now, '{}', :now, :now, :now, 'done', 0, :now)
"""


class RevocationFeed:
    """Applies stored events to the revocations. One for the life of the service."""

    def __init__(self, database: Database, revocations: Revocations) -> None:
        self._database = database
        self._revocations = revocations
        self._polled_at: float | None = None
        self._loaded_at = 0.0

    def apply(self, row: StoredEvent) -> None:
        """Apply an event, if it revokes or lifts."""
        if row.subject is not None and row.type in REVOCATION_EVENTS:
            self._revocations.apply(row.type, row.subject, row.occurred_at)

    async def poll(self) -> None:
        """Apply new rows; at first, after a failure and every `RELOAD` seconds, all rows.

        Raises what the database raises.
        """
        polled_at, self._polled_at = self._polled_at, None
        async with self._database.engine.connect() as connection:
            now: float = await connection.scalar(self._database.sql("SELECT :now"))
        if polled_at is None or abs(now - self._loaded_at) >= RELOAD:
            self._revocations.begin_reload()
            await self._apply_since(0)
            self._revocations.end_reload()
            self._loaded_at = now
        else:
            # The earlier of the two, in case a clock was set.
            await self._apply_since(min(polled_at, now) - OVERLAP)
        self._polled_at = now

    async def _apply_since(self, received_at: float) -> None:
        """Apply the rows received since then, page by page: requests must not wait for all."""
        place = (events.c.received_at, events.c.id)
        last: tuple[float, str] | None = (received_at, "")
        while last is not None:
            page = sa.select(events).where(sa.text(IS_REVOCATION), sa.tuple_(*place) > last)
            page = page.order_by(*place).limit(PAGE)
            async with self._database.engine.connect() as connection:
                rows = (await connection.execute(page)).all()
            for row in rows:
                self.apply(row)
            last = (rows[-1].received_at, rows[-1].id) if len(rows) == PAGE else None


def with_revocations(handlers: Mapping[str, Handler]) -> Mapping[str, Handler]:
    """Return `handlers`, with one that does nothing for each revoking type that they lack.

    The inbox stores only events that have a handler.
    """

    async def do_nothing(event: Event, connection: AsyncConnection) -> None:
        """Leave it at the revocation."""

    revoking = {name: Handler(do_nothing) for name in REVOCATION_EVENTS if name != LIFTED}
    return {**revoking, **handlers}


async def lift(database: Database, subject: str) -> None:
    """Store an event that lifts the deletion and the disabling of a user."""
    values = {"id": f"lift_{uuid.uuid4().hex}", "type": LIFTED, "subject": subject}
    async with database.engine.begin() as connection:
        await connection.execute(database.sql(LIFT), values)
