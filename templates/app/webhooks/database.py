"""The database of the inbox: SQLite on one machine, or PostgreSQL for many."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.environment import InvalidSettings

TIMEOUT = 3  # seconds to wait for a connection, and for SQLite's write lock
TIME_LIMIT = 5  # seconds for a short transaction: the other end of a connection may be gone
# It ends `begin()`, but not `connect()`, whose rollback at the end cannot be cancelled.
OPTIONS = {
    # The loss of the server is noticed within 11 seconds, rather than after hours.
    "postgresql": f"connect_timeout={TIMEOUT}&tcp_user_timeout=10000&keepalives_idle=5"
    "&keepalives_interval=2&keepalives_count=3",
    "sqlite": f"timeout={TIMEOUT}",
}
# Held while a process creates tables. The number is "create" in ASCII.
LOCKS = {
    "postgresql": f"SELECT pg_advisory_xact_lock({0x637265617465})",
    "sqlite": "BEGIN IMMEDIATE",
}
NOW = {
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)",
    "sqlite": "((julianday('now') - 2440587.5) * 86400)",
}

metadata = sa.MetaData()
"""The tables that are created at the start if they are missing."""


@lru_cache  # to parse a statement each time was a sixth of the work on an event
def sql(statement: str, dialect: sa.Dialect) -> sa.TextClause:
    """Return a statement in which `:now` is the time of the database in seconds since 1970."""
    if dialect.name == "sqlite":
        statement = statement.replace("FOR UPDATE SKIP LOCKED", "")
    return sa.text(statement.replace(":now", NOW[dialect.name]))


@asynccontextmanager
async def open_database(address: SecretStr) -> AsyncIterator[AsyncEngine]:
    """Open the database at `address` and create missing tables. Raises `InvalidSettings`."""
    try:
        engine = _engine(sa.make_url(address.get_secret_value()))
        async with engine.begin() as connection:
            await connection.execute(sa.text(LOCKS[engine.dialect.name]))
            await connection.run_sync(_create_missing)
    except (sa.exc.SQLAlchemyError, OSError, ValueError) as error:
        sys.tracebacklimit = 0  # The server shows the exception: these sentences are enough.
        raise InvalidSettings(
            f"The inbox cannot be opened ({type(error).__name__}): check INBOX_DATABASE_URL and "
            "its database. If its role may not create tables, run `python -m app.webhooks create` "
            "with one that may."
        ) from None  # the error may hold the password
    try:
        yield engine
    finally:
        await engine.dispose()


def _engine(url: sa.URL) -> AsyncEngine:
    url = url.update_query_string(OPTIONS[url.drivername])
    url = url.set(drivername=url.drivername.replace("sqlite", "sqlite+aiosqlite"))
    engine = create_async_engine(url, pool_size=15, pool_timeout=TIMEOUT, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        # Only the owner may read it. SQLite gives its other files the same mode.
        os.close(os.open(str(url.database), os.O_RDWR | os.O_CREAT, 0o600))
        sa.event.listen(engine.sync_engine, "connect", _set_durability)
    return engine


def _set_durability(connection: DBAPIConnection, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _create_missing(connection: sa.Connection) -> None:
    for table in metadata.sorted_tables:
        table.create(connection, checkfirst=True)
        for index in table.indexes:
            index.create(connection, checkfirst=True)
