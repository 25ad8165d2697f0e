"""How long events are kept."""

from app.database import Database
from app.revocation_feed import IS_REVOCATION

# The state is a literal, which SQLite needs to use a partial index.
PURGE = """
    DELETE FROM inbox_events
    WHERE state = '{state}' AND finished_at < :now - :max_age
      AND NOT ({is_revocation} AND occurred_at > :now - :revocation_ttl)
"""


async def purge(database: Database, state: str, max_age: float, revocation_ttl: float) -> int:
    """Delete the events in `state` that ended more than `max_age` seconds ago. Return how many.

    Those that revoke or lift are kept for at least `revocation_ttl` seconds.
    """
    statement = database.sql(PURGE.format(state=state, is_revocation=IS_REVOCATION))
    values = {"max_age": max_age, "revocation_ttl": revocation_ttl}
    async with database.engine.begin() as connection:
        return (await connection.execute(statement, values)).rowcount
