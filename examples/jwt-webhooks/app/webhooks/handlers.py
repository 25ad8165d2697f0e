"""YOURS. What this service does with each type of event. Add yours to `HANDLERS`.

What a handler writes through `connection` is committed in the transaction that marks the event as
done: exactly once. What it does elsewhere can happen again after a crash or a failure. So call
other systems first, write last, and never commit. On PostgreSQL, catch database errors only inside
`connection.begin_nested()`.
"""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.webhooks.database import metadata
from app.webhooks.events import Event, Handler

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("last_event", sa.Text, nullable=False),
    sa.Column("occurred_at", sa.Double, nullable=False),  # seconds since 1970
)
# Events may arrive in any order. An older one must not undo a newer one.
KEEP_NEWEST = sa.text("""
    INSERT INTO users (id, last_event, occurred_at) VALUES (:subject, :type, :occurred_at)
    ON CONFLICT (id) DO UPDATE
    SET last_event = excluded.last_event, occurred_at = excluded.occurred_at
    WHERE users.occurred_at <= excluded.occurred_at
""")


async def keep_user(event: Event, connection: AsyncConnection) -> None:
    """Keep the newest event about each user."""
    await connection.execute(KEEP_NEWEST, event._asdict())


HANDLERS = {
    "user.created": Handler(keep_user),
    "user.updated": Handler(keep_user),
    "user.deleted": Handler(keep_user),
    "user.disabled": Handler(keep_user),
    "user.enabled": Handler(keep_user),
    "session.revoked": Handler(keep_user),
}
"""The handler of each type of event. `Handler(..., needs_subject=False)` if it needs no user."""
