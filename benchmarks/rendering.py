"""How long a render takes."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rows import RenderRow
from tests.combinations import ROOT
from tests.project import render

TIMES = 7


def measure_render(row: RenderRow, folder: Path) -> list[float]:
    """Return the seconds of several renders with the default answers.

    The command starts two hooks as well, each of them a Python of its own.
    """
    times = []
    for _ in range(TIMES + 1):
        into = Path(tempfile.mkdtemp(prefix="render-", dir=folder))
        start = time.perf_counter()
        if row.in_process:
            render(into, accept_hooks=False)
        else:
            _command(into)
        times.append(time.perf_counter() - start)
    # The first one reads files that are not in the cache of the file system.
    return times[1:]


def _command(into: Path) -> None:
    command = Path(sys.executable).with_name("cookiecutter")
    options = ["--no-input", "--default-config", "--output-dir", str(into)]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(into)}
    subprocess.run(
        [command, *options, str(ROOT)], check=True, capture_output=True, timeout=60, env=environment
    )
