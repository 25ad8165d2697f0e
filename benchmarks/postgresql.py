"""A PostgreSQL server for a measurement, with the durability of its default settings."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import Unmeasured
from tests.servers.processes import GRACE, HOST, START, free_port

USER = "nobody" if os.geteuid() == 0 else None
"""PostgreSQL does not run as root."""
PLACE = "/tmp" if USER else None  # noqa: S108
"""A folder that this user can access. Root's own temporary folder may be private."""


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server and return its URL. Raises `Unmeasured` if PostgreSQL is not installed."""
    initdb, postgres, isready = map(program, ("initdb", "postgres", "pg_isready"))
    port = str(free_port())
    with tempfile.TemporaryDirectory(dir=PLACE, ignore_cleanup_errors=True) as folder:
        if USER:
            shutil.chown(folder, USER)
        data = f"{folder}/data"
        init = [initdb, "-D", data, "-A", "trust", "-U", "inbox", "-E", "UTF8"]
        subprocess.run(init, check=True, user=USER, cwd=folder, stdout=subprocess.DEVNULL)
        serve = [postgres, "-D", data, "-k", folder, "-p", port]
        with subprocess.Popen(
            serve, user=USER, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as server:
            try:
                wait_until_up([isready, "-q", "-h", HOST, "-p", port])
                yield f"postgresql://inbox@{HOST}:{port}/postgres"
            finally:
                server.terminate()
                server.wait(GRACE)


def program(name: str) -> str:
    """Return the path of a program of PostgreSQL, the newest version. Raises `Unmeasured`."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(installed[-1]) if installed else None)
    if found is None:
        raise Unmeasured(f"PostgreSQL's {name} is not installed")
    return found


def wait_until_up(check: list[str]) -> None:
    """Wait until the command `check` succeeds. Raises `Unmeasured`."""
    deadline = time.monotonic() + START
    while subprocess.run(check).returncode != 0:
        if time.monotonic() > deadline:
            raise Unmeasured("PostgreSQL did not start in time")
        time.sleep(0.05)
