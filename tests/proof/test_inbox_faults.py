"""A database that is locked, gone or full: 503 meanwhile, and everything accepted is processed."""

import resource
import signal
import sqlite3
from pathlib import Path

import pytest

from proof.conftest import StartService
from proof.support import Database, Service, eventually, postgresql, settings

only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
ACCEPTED = 20
IMPATIENT = {"LEASE": "3"}
"""Shorter leases, and with them more heartbeats, so that readiness shows a fault sooner."""


def accept_some(service: Service, name: str) -> None:
    """Have events accepted whose handlers still run when the fault comes."""
    for number in range(ACCEPTED):
        assert service.deliver(f"{name}_{number}") == 200, service.log


def assert_refuses(service: Service) -> None:
    """Check the time of a fault: deliveries get their 503 and readiness names the inbox."""
    eventually(lambda: service.deliver("evt_during") == 503, lambda: service.log)
    eventually(lambda: "inbox" in service.missing(), service.missing)
    assert service.get("/health/live") == 200


def assert_recovers(service: Service, database: Database) -> None:
    """Check the time after it: more is accepted, and all is processed without a restart."""
    eventually(lambda: service.deliver("evt_after") == 200, lambda: service.log)
    eventually(lambda: set(database.states()) == {"done"}, database.states)
    eventually(lambda: "inbox" not in service.missing(), service.missing)
    assert database.states()["done"] >= ACCEPTED + 1
    assert "Traceback" not in service.log


@only_sqlite
def test_locked_file(service: StartService, database: Database, tmp_path: Path) -> None:
    """Another program holds the write lock, as a backup may."""
    one = service(**IMPATIENT)
    accept_some(one, "evt")
    connection = sqlite3.connect(tmp_path / "inbox.sqlite", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    assert_refuses(one)
    connection.rollback()
    connection.close()

    assert_recovers(one, database)


@only_sqlite
def test_full_disk(service: StartService, database: Database, tmp_path: Path) -> None:
    """A limit on the size of files stands for it: no write goes beyond."""
    one = service(**IMPATIENT)
    accept_some(one, "evt")
    assert one.process is not None
    resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    assert_refuses(one)
    infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, infinite)

    assert_recovers(one, database)


@only_sqlite
def test_file_that_is_gone(service: StartService, database: Database, tmp_path: Path) -> None:
    """A volume that is away for a while. Open files stay; new connections fail."""
    one = service(**IMPATIENT)
    accept_some(one, "evt")
    eventually(lambda: set(database.states()) == {"done"}, database.states)
    tables = [str(row[0]) for row in database.rows("SELECT name FROM sqlite_master")]
    database.rows("ALTER TABLE inbox_events RENAME TO away")
    database.rows("ALTER TABLE inbox_workers RENAME TO workers_away")
    assert_refuses(one)
    database.rows("ALTER TABLE away RENAME TO inbox_events")
    database.rows("ALTER TABLE workers_away RENAME TO inbox_workers")

    assert "inbox_events" in tables
    assert_recovers(one, database)


@pytest.mark.parametrize("fault", ["hangs", "restarts"])
def test_server_that_fails(tmp_path: Path, fault: str) -> None:
    with postgresql() as database:
        one = Service(tmp_path, {**settings(), **IMPATIENT, "INBOX_DATABASE_URL": database.url})
        one.start()
        try:
            accept_some(one, "evt")
            if fault == "hangs":
                database.send(signal.SIGSTOP)
                assert_refuses(one)
                database.send(signal.SIGCONT)
            else:
                database.stop()
                assert_refuses(one)
                database.start()
            assert_recovers(one, database)
        finally:
            one.stop()
