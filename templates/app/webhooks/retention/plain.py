"""How long events are kept."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.settings import InboxSettings
from app.webhooks.database import sql

# The state is a literal, which SQLite needs to use a partial index.
PURGE = "DELETE FROM inbox_events WHERE state = '{state}' AND finished_at < :now - 86400 * :days"


async def purge(engine: AsyncEngine, settings: InboxSettings, state: str = "done") -> int:
    """Delete the events in `state` that ended `INBOX_RETENTION_DAYS` ago. Return how many."""
    values = {"days": settings.inbox_retention_days}
    async with engine.begin() as connection:
        statement = sql(PURGE.format(state=state), connection.dialect)
        return (await connection.execute(statement, values)).rowcount
