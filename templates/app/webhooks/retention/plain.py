"""How long events are kept."""

from app.database import Database

# The state is a literal, which SQLite needs to use a partial index.
PURGE = "DELETE FROM inbox_events WHERE state = '{state}' AND finished_at < :now - :max_age"


async def purge(database: Database, state: str, max_age: float) -> int:
    """Delete the events in `state` that ended more than `max_age` seconds ago. Return how many."""
    statement = database.sql(PURGE.format(state=state))
    async with database.engine.begin() as connection:
        return (await connection.execute(statement, {"max_age": max_age})).rowcount
