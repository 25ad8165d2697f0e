"""Starts servers as processes, waits for lines in their output, and always ends them."""

import os
import random
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
START = 30.0
"""Seconds that a process may take to start."""
GRACE = 5.0
"""Seconds that a process may take to end by itself."""


@dataclass(frozen=True, slots=True)
class Process:
    """A running process, and the file with its output."""

    popen: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        """Return the output so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until `pattern` matches the output. Fails when the process ends before."""
        deadline = time.monotonic() + START
        while (found := re.search(pattern, self.output())) is None:
            assert self.popen.poll() is None, f"it ended:\n{self.output()}"
            assert time.monotonic() < deadline, f"it did not start in time:\n{self.output()}"
            time.sleep(0.02)
        return found

    def kill(self) -> None:
        """Kill it at once. Its connections are not closed properly."""
        self.popen.kill()
        self.popen.wait()

    def end(self) -> None:
        """Terminate it, by force if it does not end."""
        self.popen.terminate()
        try:
            self.popen.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def running(
    command: Sequence[str], folder: Path, variables: Mapping[str, str]
) -> Iterator[Process]:
    """Run a command in `folder` as long as the block lasts.

    Its environment is `variables` and the search path.
    """
    log = folder / "output.log"
    environment = {"PATH": os.environ.get("PATH", os.defpath), **variables}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        ) as popen,
    ):
        process = Process(popen, log)
        try:
            yield process
        finally:
            process.end()


def free_port() -> int:
    """Return a free port, for a server that cannot choose one itself.

    It lies below those that the system gives to connections, so that none of them takes it before
    the server does.
    """
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - no secret
        with suppress(OSError), socket.create_server((HOST, port)):
            return port
