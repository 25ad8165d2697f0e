"""A real Redis server: empty, without a disk, on a free port of this machine."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from proof.support import eventually, free_port

HOST = "127.0.0.1"


class RedisServer:
    """A server that can be killed, stopped and started again at the same port."""

    def __init__(self, folder: Path, password: str | None = None) -> None:  # noqa: D107
        self._folder = folder
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """The URL for the service's settings."""
        secret = "" if self._password is None else f":{self._password}@"
        return f"redis://{secret}{HOST}:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it replies."""
        options = ["--port", str(self.port), "--bind", HOST, "--save", "", "--appendonly", "no"]
        if self._password is not None:
            options += ["--requirepass", self._password]
        command = [shutil.which("redis-server") or "redis-server", *options]
        self._process = subprocess.Popen(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually(self._replies)

    def _replies(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:
            return False

    def client(self) -> "Redis":
        """Return a client of the test's own."""
        return Redis.from_url(self.url, protocol=2)

    def kill(self) -> None:
        """End it by force."""
        if self._process is not None:
            self.wake()
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Let it accept connections and reply to nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on, with the commands that it was sent meanwhile first."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def connections(self) -> int:
        """Return how many connections it has accepted, this one included."""
        with self.client() as client:
            return int(client.info("stats")["total_connections_received"])


@contextmanager
def redis_server(folder: Path, password: str | None = None) -> Iterator[RedisServer]:
    """Run a server while the block lasts."""
    server = RedisServer(folder, password)
    server.start()
    try:
        yield server
    finally:
        server.kill()
