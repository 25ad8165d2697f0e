"""The service as processes, its databases, and a provider that accepts every token."""

import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

ROOT = Path.cwd()
MODE = json.loads((ROOT / ".cookiecutter.json").read_text())["validation_mode"]
SECRET = "whsec_of_the_proofs_0123456789abcdef"
NAMES = (
    ("X-Avnology-Signature", "X-Avnology-Timestamp")
    if MODE == "sdk"
    else ("X-Signature", "X-Timestamp")
)
PATH = "/webhooks/avnology" if MODE == "sdk" else "/webhooks/olympus"
PATIENCE = 60.0
"""Seconds to wait for what has to happen, on a machine that may be busy."""


def settings(provider: str = "http://127.0.0.1:9") -> dict[str, str]:
    """Return the environment of a service that trusts `provider`."""
    by_mode = {
        "introspection": {"HYDRA_INTROSPECT_URL": f"{provider}/introspect"},
        "jwt": {"OLYMPUS_ISSUER": provider},
        "sdk": {
            "AVNOLOGY_BASE_URL": provider,
            "AVNOLOGY_CLIENT_ID": "service",
            "AVNOLOGY_CLIENT_SECRET": "service-secret",
        },
    }
    return {
        "PATH": os.environ["PATH"],
        "ACCEPT_ANY_AUDIENCE": "true",
        "WEBHOOK_SECRETS": SECRET,
        **by_mode[MODE],
    }


@dataclass
class Service:
    """One process of the service."""

    folder: Path
    environment: Mapping[str, str]
    port: int = field(default_factory=lambda: free_port())
    process: "subprocess.Popen[bytes] | None" = None
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=10))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has logged so far, in all of its lives."""
        path = self.folder / f"{self.port}.log"
        return path.read_text() if path.exists() else ""

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "uvicorn", "app.main:app", "--app-dir", str(ROOT)]
        options = ["--port", str(self.port), "--no-access-log", "--timeout-graceful-shutdown", "3"]
        with (self.folder / f"{self.port}.log").open("ab") as output:
            self.process = subprocess.Popen(
                [*command, *options],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        if wait:
            self.wait_until_up()

    def wait_until_up(self) -> None:
        """Wait until it answers."""
        eventually(lambda: self.get("/health/live") == 200, lambda: self.log)

    def send(self, number: int) -> None:
        """Send a signal to the process."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it by force."""
        self.send(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()

    def stop(self) -> None:
        """End it, if it runs."""
        self.client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def get(self, path: str, token: str = "") -> int:
        """Return the status of a GET, 0 without an answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return self.client.get(self.url + path, headers=headers).status_code
        except httpx.HTTPError:
            return 0

    def deliver(
        self, event_id: str, event_type: str = "user.updated", subject: str = "anna"
    ) -> int:
        """Send an event and return the status, 0 without an answer."""
        content = body(event_id, event_type, subject)
        try:
            return self.client.post(
                self.url + PATH, content=content, headers=signed(content)
            ).status_code
        except httpx.HTTPError:
            return 0

    def missing(self) -> str:
        """Return what readiness says is missing."""
        try:
            return ",".join(self.client.get(self.url + "/health/ready").json().get("missing", []))
        except (httpx.HTTPError, ValueError):
            return "no answer"


def body(event_id: str, event_type: str, subject: str) -> bytes:
    """Return an event."""
    return json.dumps({"id": event_id, "type": event_type, "data": {"user_id": subject}}).encode()


def signed(content: bytes) -> dict[str, str]:
    """Return the headers of a delivery that is sent now."""
    timestamp = str(int(time.time()))
    message = timestamp.encode() + b"." + content
    signature = hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()
    return {NAMES[0]: signature, NAMES[1]: timestamp, "Content-Type": "application/json"}


def eventually(happened: Callable[[], bool], shown: Callable[[], object] = lambda: None) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, shown()
        time.sleep(0.05)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Database:
    """A database of a test, and the server behind it, if there is one."""

    url: str
    command: Sequence[str] = ()
    user: str | None = None
    server: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.server = subprocess.Popen(self.command, user=self.user, stderr=subprocess.DEVNULL)
        eventually(self.answers)

    def send(self, number: int) -> None:
        """Send a signal to all processes of the server."""
        assert self.server is not None
        children = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text()
        for pid in [self.server.pid, *map(int, children.split())]:
            os.kill(pid, number)

    def stop(self) -> None:
        """Stop the server at once."""
        assert self.server is not None
        self.send(signal.SIGCONT)
        self.server.send_signal(signal.SIGQUIT)
        self.server.wait()

    def answers(self) -> bool:
        """Tell whether the server takes connections."""
        try:
            return self.rows("SELECT 1") == [(1,)]
        except sa.exc.OperationalError:
            return False

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        engine = sa.create_engine(self.url.replace("postgresql:", "postgresql+psycopg:"))
        try:
            with engine.begin() as connection:
                result = connection.execute(sa.text(statement))
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            engine.dispose()

    def states(self) -> dict[str, int]:
        """Return how many events are in which state."""
        rows = self.rows("SELECT state, count(*) FROM inbox_events GROUP BY state")
        return {str(state): int(str(count)) for state, count in rows}


@contextmanager
def postgresql() -> Iterator[Database]:
    """Run a PostgreSQL as long as the block lasts. Skip the test where there is none."""
    initdb, postgres = program("initdb"), program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL is not installed")
    user = "nobody" if os.geteuid() == 0 else None
    place = "/tmp" if user else None
    with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, user)
        data, port = f"{folder}/data", free_port()
        init = [initdb, "-D", data, "-A", "trust", "-U", "inbox", "-E", "UTF8", "-N"]
        subprocess.run(init, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
        serve = [postgres, "-D", data, "-k", folder, "-p", str(port), "-F"]
        database = Database(f"postgresql://inbox@127.0.0.1:{port}/postgres", serve, user)
        database.start()
        try:
            yield database
        finally:
            database.stop()


def program(name: str) -> str | None:
    """Return the path of a program of PostgreSQL, the newest one."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(installed[-1]) if installed else None)
