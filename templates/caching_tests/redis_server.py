"""A real Redis server for a test: empty, without a disk, on a free port of this machine."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from dev.environment import HOST
from tests.ports import free_ports

START = 10.0
"""Seconds to wait for a server that was started."""


class RedisServer:
    """A server that can be killed, stopped and started again at the same place."""

    def __init__(self, folder: Path, password: str | None = None) -> None:
        self._folder = folder
        self._password = password
        (self.port,) = free_ports(1)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of the service's settings."""
        secret = "" if self._password is None else f":{self._password}@"
        return f"redis://{secret}{HOST}:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["--port", str(self.port), "--bind", HOST, "--save", "", "--appendonly", "no"]
        if self._password is not None:
            options += ["--requirepass", self._password]
        command = [shutil.which("redis-server") or "redis-server", *options]
        self._process = subprocess.Popen(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return
            except RedisError:
                assert time.monotonic() < deadline, "redis-server does not answer"
                time.sleep(0.02)

    def client(self) -> "Redis":
        """Return a client of the test's own."""
        return Redis.from_url(self.url, protocol=2)

    def kill(self) -> None:
        """End it as a machine that breaks down."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Let it take connections and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on, with what it was sent meanwhile first."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def connections(self) -> int:
        """Return how many it has taken since it was started, this one included."""
        with self.client() as client:
            return int(client.info("stats")["total_connections_received"])


@contextmanager
def redis_server(folder: Path, password: str | None = None) -> Iterator[RedisServer]:
    """Run a server as long as the block lasts."""
    server = RedisServer(folder, password)
    server.start()
    try:
        yield server
    finally:
        server.kill()
