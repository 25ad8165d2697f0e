"""How long events are kept."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.auth.revocations import REVOCATION_EVENTS
from app.settings import InboxSettings
from app.webhooks.database import sql

IS_REVOCATION = "type IN ({})".format(", ".join(f"'{name}'" for name in REVOCATION_EVENTS))
# The state is a literal, which SQLite needs to use a partial index.
PURGE = """
    DELETE FROM inbox_events
    WHERE state = '{state}' AND finished_at < :now - 86400 * :days
      AND NOT ({is_revocation} AND occurred_at > :now - :revocation_ttl)
"""


async def purge(engine: AsyncEngine, settings: InboxSettings, state: str = "done") -> int:
    """Delete the events in `state` that ended `INBOX_RETENTION_DAYS` ago. Return how many.

    Those that revoke or lift are kept for at least `REVOCATION_TTL`.
    """
    values = {"days": settings.inbox_retention_days, "revocation_ttl": settings.revocation_ttl}
    async with engine.begin() as connection:
        statement = sql(PURGE.format(state=state, is_revocation=IS_REVOCATION), connection.dialect)
        return (await connection.execute(statement, values)).rowcount
