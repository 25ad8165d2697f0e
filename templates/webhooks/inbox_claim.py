"""Who works on an inbox: one process on an SQLite file, replicas with a number each on PostgreSQL.

The number is what the events that a replica works on are marked with. A replica that dies frees its
number, the next one that starts takes it over, and with it the events that were left undone.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

SQLITE = "sqlite:///"
MAX_REPLICAS = 1000
_LOCKS = 0x696E626F
"""The first half of the advisory locks' numbers: "inbo" in ASCII, so that no other lock has it."""


class InboxNotOpened(Exception):
    """The service cannot have its inbox. The text is for people and holds no password."""


@contextmanager
def claim(url: str) -> Iterator[str]:
    """Hold the inbox at `url` as long as the block lasts, and return what this process is called.

    The kernel, or the database, frees it when the process dies. Raises `InboxNotOpened`.
    """
    if url.startswith(SQLITE):
        with _locked(sqlite_path(url)):
            yield "local"
    else:
        with _numbered(url) as number:
            yield f"replica-{number}"


def sqlite_path(url: str) -> Path:
    """Return the file that an address of SQLite means."""
    return Path(url.removeprefix(SQLITE).partition("?")[0])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InboxNotOpened(
            f"The inbox {path} cannot be opened ({error.strerror}): make its folder one that this "
            "service may write to, or set INBOX_DATABASE_URL."
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise InboxNotOpened(
            f"Another process has the inbox {path} open: end it, give this one a file of its own "
            "in INBOX_DATABASE_URL, or set a PostgreSQL there, which replicas can share."
        ) from None
    try:
        yield
    finally:
        os.close(lock)


@contextmanager
def _numbered(url: str) -> Iterator[int]:
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10)
    except psycopg.Error:
        raise InboxNotOpened(
            "The inbox cannot be opened: no PostgreSQL lets this service in at INBOX_DATABASE_URL."
        ) from None
    with connection:
        yield _free_number(connection)


def _free_number(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    for number in range(MAX_REPLICAS):
        taken = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCKS, number))
        if taken.fetchone() == (True,):
            return number
    raise InboxNotOpened(f"The inbox has {MAX_REPLICAS} replicas already: end some of them.")
