"""A PostgreSQL for the time of a measurement, as durable as it is where it is installed."""

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
"""PostgreSQL does not run for root."""
PLACE = "/tmp" if USER else None  # noqa: S108
"""Where that user can get to, whatever root's own folder for such things is."""


@contextmanager
def postgresql() -> Iterator[str]:
    """Run one and return its address. Raises `Unmeasured` where none is installed."""
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
    """Return the path of a program of PostgreSQL, the newest one. Raises `Unmeasured`."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(installed[-1]) if installed else None)
    if found is None:
        raise Unmeasured(f"PostgreSQL's {name} is not installed")
    return found


def wait_until_up(question: list[str]) -> None:
    """Wait until the answer to `question` is yes. Raises `Unmeasured`."""
    deadline = time.monotonic() + START
    while subprocess.run(question).returncode != 0:
        if time.monotonic() > deadline:
            raise Unmeasured("PostgreSQL did not start in time")
        time.sleep(0.05)
