"""Runs a command of a test. It ends in time, and with it all that it has started."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

SECONDS = 900.0
"""The most that a command may take, on a slow day too."""


def run(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str],
    seconds: float = SECONDS,
) -> str:
    """Run a command in `folder` and return its output. Fails with the output.

    A process that the command leaves behind would hold the output open, and the test would wait for
    it. Therefore the command gets a process group, which is killed in the end or after `seconds`.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        process_group=0,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            raise AssertionError(f"{command} took {seconds} seconds\n{output}") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, f"{command} failed in {folder}\n{output}"
    return output
