"""Databases to keep an inbox in: a file, and a PostgreSQL of the tests' own where there is one."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from dev.environment import HOST
from tests.ports import free_ports

USER = "nobody" if os.geteuid() == 0 else None
"""PostgreSQL does not run for root."""
PLACE = "/tmp" if USER else None  # noqa: S108 - a folder of its own is made there
"""Where that user can get to, whatever root's own folder for such things is."""


def program(name: str) -> str | None:
    """Return the path of a program of PostgreSQL, the newest one, or `None`."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(installed[-1]) if installed else None)


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL as long as the block lasts. Skips the test, aloud, where there is none."""
    initdb, postgres = program("initdb"), program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL is not installed")
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        if USER:
            shutil.chown(folder, USER)
        data = f"{folder}/data"
        init = [initdb, "-D", data, "-A", "trust", "-U", "inbox", "-N", "-E", "UTF8"]
        subprocess.run(init, check=True, user=USER, cwd=folder, stdout=subprocess.DEVNULL)
        serve = [postgres, "-D", data, "-k", folder, "-p", str(port), "-F"]
        with subprocess.Popen(
            serve, user=USER, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as server:
            url = f"postgresql://inbox@{HOST}:{port}/postgres"
            try:
                wait_until_up(url)
                yield url
            finally:
                server.terminate()


def wait_until_up(url: str, seconds: float = 30) -> None:
    """Wait until a server takes connections. Raises `psycopg.OperationalError` when it does not."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
