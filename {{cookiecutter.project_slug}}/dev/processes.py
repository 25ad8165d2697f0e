"""The provider and the service as processes: how they are started, awaited and ended."""

import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dev.calls import CallFailed, send
from dev.environment import HOST
from dev.serving import NotStarted

ROOT = Path(__file__).resolve().parent.parent
"""The folder of the project."""
START = 30.0
"""Seconds that a process may take to start."""
GRACE = 5.0
"""Seconds that a process may take to end by itself."""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on.

    They lie below those that the system gives to connections, so that none of them is taken
    between this look and the start of a server.
    """
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - no secret
        with suppress(OSError), socket.create_server((HOST, port)):
            ports.add(port)
    return list(ports)


def provider_command(public_port: int, admin_port: int) -> list[str]:
    """Return the command line of the local provider."""
    ports = ["--public-port", str(public_port), "--admin-port", str(admin_port)]
    return [sys.executable, "-m", "dev", "provider", *ports]


def service_command(port: int, *options: str) -> list[str]:
    """Return the command line of the service."""
    address = ["--host", HOST, "--port", str(port)]
    app = ["app.main:app", "--app-dir", str(ROOT), *address]
    return [sys.executable, "-m", "uvicorn", *app, "--timeout-graceful-shutdown", "2", *options]


@contextmanager
def running(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    output: IO[bytes] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process as long as the block lasts. It has ended when the block is left."""
    with subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdout=output,
        stderr=output,
        preexec_fn=_ignore_interrupts,
    ) as process:
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, by force if it does not go."""
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ignore_interrupts() -> None:
    # Ctrl-C reaches a starting process too, which would answer with a traceback. Once it has
    # started, it has a handler of its own.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def wait_until_up(
    process: subprocess.Popen[bytes], url: str, seconds: float | None = START
) -> None:
    """Wait until a GET of `url` is a 200, for ever where `seconds` is `None`.

    Raises `NotStarted` when the process ends, or the time is over.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    while not answers(url):
        if process.poll() is not None:
            raise NotStarted(f"The process ended before {url} answered.")
        if deadline is not None and time.monotonic() > deadline:
            raise NotStarted(f"No answer at {url} within {seconds:g} seconds.")
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Tell whether a GET of `url` is a 200."""
    try:
        return send("GET", url).status == 200
    except CallFailed:
        return False
