"""Traces: what the README says turns them on does, and no span shows a token or a query."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.demo.processes import free_ports, wait_until_up
from tests.slow.conftest import Installed, environment, install
from tests.slow.further import install_packages

ANSWERS = {"validation_mode": "introspection", "include_caching": False, "include_webhooks": False}
SETTINGS = {
    "HYDRA_INTROSPECT_URL": "http://127.0.0.1:9/admin/oauth2/introspect",
    "ACCEPT_ANY_AUDIENCE": "true",
}
ON = {"FASTAPI_OTEL_AUTO_CONFIGURE": "true", "OTEL_BSP_SCHEDULE_DELAY": "100"}
PATIENCE = 30.0
"""Seconds to wait for what has to happen, on a machine that may be busy."""


class Collector(ThreadingHTTPServer):
    """Takes spans by OTLP over HTTP, and keeps what it was sent."""

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        super().__init__(("127.0.0.1", 0), Receiver)
        self.received: list[tuple[str, bytes]] = []
        self.arrived = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class Receiver(BaseHTTPRequestHandler):
    """Answers 200 to everything."""

    def do_POST(self) -> None:
        """Keep the body. Text stands in protobuf as it is."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Collector)
        self.server.received.append((self.path, body))
        self.server.arrived.set()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return a service with the extra that the README names."""
    project = install(tmp_path_factory.mktemp("traced"), ANSWERS)
    install_packages(project.path, "fastapi[opentelemetry]")
    return project


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Return a running collector."""
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def running(project: Path, **variables: str) -> Iterator[str]:
    """Run the service while the block lasts, and yield its URL once it answers."""
    (port,) = free_ports(1)
    command = [".venv/bin/uvicorn", "app.main:app", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=project, env=environment(**SETTINGS, **variables), stderr=subprocess.PIPE
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_up(process, url)
            yield url
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def test_spans_show_no_token_and_no_query(project: Installed, collector: Collector) -> None:
    """Also where a caller sends a token in the query."""
    variables = {**ON, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with running(project.path, **variables) as url:
        for query, token in (("access_token=secret-1&page=7", "secret-2"), ("page=7", "secret-3")):
            httpx.get(f"{url}/widgets?{query}", headers={"Authorization": f"Bearer {token}"})
        assert collector.arrived.wait(PATIENCE)
    paths = {path for path, _ in collector.received}
    spans = b"".join(body for _, body in collector.received)

    assert paths == {"/v1/traces"}
    assert b"/widgets" in spans
    assert b"REDACTED" in spans
    assert b"secret" not in spans
    assert b"page" not in spans


def test_nothing_is_sent_without_the_variable(project: Installed, collector: Collector) -> None:
    """The address alone turns nothing on."""
    with running(project.path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as url:
        httpx.get(f"{url}/health/live")

    assert collector.received == []
