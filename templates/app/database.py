"""A database of this service: SQLite on one machine, or PostgreSQL for many."""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

TIMEOUT = 3  # seconds to wait for a connection, and for SQLite's write lock
POSTGRESQL_NOW = "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"
CREATE_LOCK = 0x637265617465  # PostgreSQL's advisory lock on creating tables: "create" in ASCII

parsed = lru_cache(sa.text)  # to parse a statement each time was a sixth of the work on an event

metadata = sa.MetaData()
"""The tables that are created at the start if they are missing."""


def partial_index(name: str, column: sa.Column[float], condition: str) -> sa.Index:
    """Index the rows of `column`'s table that fulfil an SQL condition."""
    where = sa.text(condition)
    return sa.Index(name, column, postgresql_where=where, sqlite_where=where)


class DatabaseNotOpened(Exception):
    """The service cannot use its database. The text is for operators and holds no password."""


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. `clock` gives seconds since 1970."""

    engine: AsyncEngine
    is_postgresql: bool
    clock: Callable[[], float]

    def sql(self, statement: str) -> sa.TextClause:
        """Return a statement in which `:now` is the current time in seconds since 1970.

        PostgreSQL's own time, as the clocks of replicas differ. SQLite needs no row locks.
        """
        if self.is_postgresql:
            return parsed(statement.replace(":now", POSTGRESQL_NOW))
        text = statement.replace("FOR UPDATE SKIP LOCKED", "")
        return parsed(text).bindparams(now=self.clock())

    async def create_tables(self) -> None:
        """Create missing tables and indexes, one process at a time."""
        lock = f"SELECT pg_advisory_xact_lock({CREATE_LOCK})"
        async with self.engine.begin() as connection:
            await connection.execute(sa.text(lock if self.is_postgresql else "BEGIN IMMEDIATE"))
            await connection.run_sync(_create_missing)


def _create_missing(connection: sa.Connection) -> None:
    metadata.create_all(connection)
    for table in metadata.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)


@asynccontextmanager
async def open_database(
    address: str, clock: Callable[[], float] = time.time
) -> AsyncIterator[Database]:
    """Open the database at `address`, `sqlite:///` or `postgresql://`, and create missing tables.

    Raises `DatabaseNotOpened`.
    """
    url = sa.make_url(address)
    is_postgresql = url.get_backend_name() == "postgresql"
    try:
        engine = _postgresql(url) if is_postgresql else _sqlite(url)
        database = Database(engine, is_postgresql, clock)
        await database.create_tables()
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise DatabaseNotOpened(
            f"The inbox cannot be opened ({type(error).__name__}): check INBOX_DATABASE_URL and "
            "its database. If its role may not create tables, run `python -m app.webhooks create` "
            "with one that may."
        ) from None
    try:
        yield database
    finally:
        await engine.dispose()


def _engine(url: sa.URL, **arguments: object) -> AsyncEngine:
    return create_async_engine(
        url, connect_args=arguments, pool_size=15, pool_timeout=TIMEOUT, hide_parameters=True
    )


def _postgresql(url: sa.URL) -> AsyncEngine:
    # The loss of the server is noticed within 10 seconds, rather than after many minutes.
    url = url.set(drivername="postgresql+psycopg")
    return _engine(url, connect_timeout=TIMEOUT, tcp_user_timeout=10_000)


def _sqlite(url: sa.URL) -> AsyncEngine:
    # Only the owner may read it. SQLite gives its other files the same mode.
    os.close(os.open(str(url.database), os.O_RDWR | os.O_CREAT, 0o600))
    engine = _engine(url.set(drivername="sqlite+aiosqlite"), timeout=TIMEOUT)

    @sa.event.listens_for(engine.sync_engine, "connect")
    def set_durability(connection: DBAPIConnection, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    return engine
