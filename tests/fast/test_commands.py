"""A command of a test cannot make the test wait for ever."""

import os
import re
import sys
import time
from pathlib import Path

import pytest

from tests.commands import run

LEAVES_A_PROCESS = """
import subprocess, sys, time
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("left", left.pid, flush=True)
time.sleep({seconds})
"""


@pytest.mark.parametrize("seconds", [0, 600], ids=["ends", "does not end"])
def test_a_process_that_holds_the_output(tmp_path: Path, seconds: int) -> None:
    """The test fails with the output so far, and the process is gone."""
    code = LEAVES_A_PROCESS.format(seconds=seconds)

    with pytest.raises(AssertionError, match=r"took 2 seconds\nleft \d+\n") as failure:
        run([sys.executable, "-c", code], tmp_path, os.environ, seconds=2)

    (pid,) = re.findall(r"left (\d+)", str(failure.value))
    deadline = time.monotonic() + 60
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(pid)


def is_running(pid: str) -> bool:
    """Tell whether a process is there and not about to be forgotten by its parent."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
