"""What the inbox's library expects of SQLite, for those that are older: Debian 12 has 3.40."""

import sqlite3
import time
from contextlib import closing

from sqlalchemy import Engine, event

COMPLETE = (3, 42, 0)
"""The first one that knows `unixepoch('subsec')` (https://www.sqlite.org/lang_datefunc.html).

The library asks for it by the version of Python, from 3.12 on, whatever SQLite is there.
"""


def complete_sqlite() -> None:
    """Have every connection to an SQLite that is older learn it. To do so again does no harm."""
    missing = sqlite3.sqlite_version_info < COMPLETE
    if missing and not event.contains(Engine, "connect", _teach):
        event.listen(Engine, "connect", _teach)


def _teach(connection: object, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("unixepoch", 1, _unixepoch)


def _unixepoch(moment: object) -> float | None:
    if moment == "subsec":
        return time.time()
    # Everything else it knows by itself.
    with closing(sqlite3.connect(":memory:")) as sqlite:
        seconds: float | None = sqlite.execute("SELECT unixepoch(?)", (moment,)).fetchone()[0]
        return seconds
