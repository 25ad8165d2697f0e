"""That an older SQLite is good enough for the inbox, whatever Python asks of it."""

import sqlite3
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text

from app import inbox_sqlite
from app.inbox_sqlite import complete_sqlite


@pytest.fixture
def taught() -> Iterator[None]:
    """Leave other tests the SQLite that there is."""
    before = event.contains(Engine, "connect", inbox_sqlite._teach)
    if before:
        event.remove(Engine, "connect", inbox_sqlite._teach)
    yield
    if event.contains(Engine, "connect", inbox_sqlite._teach):
        event.remove(Engine, "connect", inbox_sqlite._teach)
    if before:
        complete_sqlite()


@pytest.fixture
def database(taught: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Connect to an SQLite that is older than it need be."""
    monkeypatch.setattr("app.inbox_sqlite.COMPLETE", (99, 0, 0))
    complete_sqlite()
    complete_sqlite()
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_it_tells_the_time_to_the_millisecond(database: Connection) -> None:
    """Also where a table asks by itself."""
    database.execute(text("CREATE TABLE t (id, at REAL DEFAULT (unixepoch('subsec') * 1000))"))
    before = time.time()
    database.execute(text("INSERT INTO t (id) VALUES (1)"))
    at = database.execute(text("SELECT at FROM t")).scalar_one()

    assert before * 1000 <= at <= time.time() * 1000


@pytest.mark.parametrize(
    ("moment", "seconds"), [("'2000-01-01'", 946_684_800), ("'rubbish'", None), ("NULL", None)]
)
def test_it_knows_what_it_knew(database: Connection, moment: str, seconds: int | None) -> None:
    assert database.execute(text(f"SELECT unixepoch({moment})")).scalar_one() == seconds


@pytest.mark.usefixtures("taught")
def test_a_newer_one_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.inbox_sqlite.COMPLETE", sqlite3.sqlite_version_info)
    complete_sqlite()

    assert not event.contains(Engine, "connect", inbox_sqlite._teach)
