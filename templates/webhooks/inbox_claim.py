"""Who works on an inbox: one process on an SQLite file, replicas with a number each on PostgreSQL.

The number marks the events that a replica works on. When it dies its number is free, and whoever
finds that out takes over what it left undone.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg

SQLITE = "sqlite:///"
_NAME = "replica-"
_LOCKS = 0x696E626F
"""The first half of the advisory locks' numbers: "inbo" in ASCII, so that no other lock has it."""

_NOTICE_THE_DEAD = """
SET tcp_keepalives_idle = 10;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3;
"""


class InboxNotOpened(Exception):
    """The service cannot have its inbox. The text is for people and holds no password."""


@contextmanager
def claim(url: str) -> Iterator["OnlyOne | Replica"]:
    """Hold the inbox at `url` as long as the block lasts.

    The kernel, or the database, frees it when the process dies. Raises `InboxNotOpened`.
    """
    if url.startswith(SQLITE):
        path = sqlite_path(url)
        with _locked(path):
            _write_ahead(path)
            yield OnlyOne()
    else:
        with closing(Replica(url)) as replica:
            yield replica


def sqlite_path(url: str) -> Path:
    """Return the file that an address of SQLite means."""
    return Path(url.removeprefix(SQLITE).partition("?")[0])


class OnlyOne:
    """The claim on an SQLite file."""

    executor = "local"
    """What the process is called."""


class Replica:
    """The claim on a number: an advisory lock, which lasts as long as the connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connect()
        self._number = next(filter(self._lock, count()))
        self.executor = f"{_NAME}{self._number}"
        """What the process is called."""

    def close(self) -> None:
        """Free the number."""
        # The server notices a closed connection a moment later, and the next one may be there.
        with suppress(psycopg.Error):
            self._connection.execute("SELECT pg_advisory_unlock_all()")
        self._connection.close()

    def hold(self) -> None:
        """Take the number again where the connection was lost.

        Raises `InboxNotOpened`, also while another process has the number.
        """
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            self._connect()
            if not self._lock(self._number):
                # Closed, so that the next call tries again
                self._connection.close()
                raise InboxNotOpened(
                    f"Another replica took the number {self._number} while the connection to the "
                    "inbox was lost: restart this one."
                ) from None

    @contextmanager
    def in_place_of(self, executor: str) -> Iterator[bool]:
        """Hold the number of another process while the block lasts. Yield whether it was free."""
        number = executor.removeprefix(_NAME)
        free = executor != self.executor and number.isdigit() and self._lock(int(number))
        try:
            yield free
        finally:
            if free:
                unlock = "SELECT pg_advisory_unlock(%s, %s)"
                self._connection.execute(unlock, (_LOCKS, int(number)))

    def _connect(self) -> None:
        try:
            # Neither side waits for hours for a machine that is gone and said nothing.
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=10,
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=10_000,
            )
            self._connection.execute(_NOTICE_THE_DEAD)
        except psycopg.Error:
            raise InboxNotOpened(
                "The inbox cannot be opened: no PostgreSQL lets this service in at "
                "INBOX_DATABASE_URL."
            ) from None

    def _lock(self, number: int) -> bool:
        lock = "SELECT pg_try_advisory_lock(%s, %s)"
        return self._connection.execute(lock, (_LOCKS, number)).fetchone() == (True,)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InboxNotOpened(
            f"The inbox {path} cannot be opened ({error.strerror}): make its folder one that this "
            "service may write to, or set INBOX_DATABASE_URL."
        ) from None
    with os.fdopen(lock):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InboxNotOpened(
                f"Another process has the inbox {path} open: end it, give this one a file of its "
                "own in INBOX_DATABASE_URL, or set a PostgreSQL there, which replicas can share."
            ) from None
        except OSError as error:
            raise InboxNotOpened(
                f"The inbox {path} cannot be locked ({error.strerror}): put it on a disk of this "
                "machine, or set a PostgreSQL in INBOX_DATABASE_URL."
            ) from None
        yield


def _write_ahead(path: Path) -> None:
    """Have a commit wait for one write to the disk in place of two. The file remembers it."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as database:
        # What is wrong with the file is said when it is opened for good.
        database.execute("PRAGMA journal_mode=WAL")
