"""A PostgreSQL of the tests' own, where one is installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dev.environment import HOST
from tests.ports import free_ports

# PostgreSQL refuses to run as root, and the user that it runs as cannot enter root's own folder.
USER, PLACE = ("nobody", "/tmp") if os.geteuid() == 0 else (None, None)  # noqa: S108


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server while the block lasts and yield its URL. Skip the test where there is none."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    control = shutil.which("pg_ctl") or (installed[-1] if installed else None)
    if control is None:
        pytest.skip("PostgreSQL is not installed")
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        if USER:
            shutil.chown(folder, USER)

        def run(*arguments: str) -> None:
            command = [control, "-D", f"{folder}/data", "-s", *arguments]
            subprocess.run(command, check=True, user=USER, cwd=folder)

        run("init", "-o", "-A trust -U inbox -N -E UTF8")
        run("start", "-w", "-l", f"{folder}/log", "-o", f"-p {port} -k {folder} -F")
        try:
            yield f"postgresql://inbox@{HOST}:{port}/postgres"
        finally:
            run("stop", "-m", "immediate")
