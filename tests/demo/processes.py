"""The provider and the service of a rendered project, as processes."""

import json
import os
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

MAX_BODY = 1000
"""Bytes. Small, so that a body over the limit is small too."""
START = 60.0
"""Seconds that a process may take to start on a busy machine."""
SETTINGS = "import json; from dev.environment import *; print(json.dumps(service_settings({})))"


@dataclass(frozen=True, slots=True)
class Servers:
    """URLs of provider and service, the service's settings, and how to stop the provider."""

    provider: str
    service: str
    settings: Mapping[str, str]
    stop_provider: Callable[[], None]


@contextmanager
def running_servers(project: Path) -> Iterator[Servers]:
    """Run the provider and the service of an installed project as long as the block lasts."""
    python = str(project / ".venv/bin/python")
    provider_port, port = free_ports(2)
    provider_url, service_url = (f"http://127.0.0.1:{number}" for number in (provider_port, port))
    settings: dict[str, str] = json.loads(
        subprocess.check_output([python, "-c", SETTINGS.format(provider_port)], cwd=project)
    )
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        **settings,
        "ALLOWED_CLIENT_IDS": "reader,writer",
        "CLOCK_LEEWAY": "0",
        "REQUEST_MAX_BYTES": str(MAX_BODY),
        "LOG_LEVEL": "ERROR",
    }
    provider_command = [python, "-m", "dev", "provider", "--provider-port", str(provider_port)]
    service_command = [python, "-m", "uvicorn", "app.main:app", "--app-dir", str(project)]
    service_command += ["--port", str(port), "--log-level", "warning"]
    with ExitStack() as stack:
        # An empty folder, as a `.env` would change the settings.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        provider = stack.enter_context(running(provider_command, project, environment))
        service = stack.enter_context(running(service_command, folder, environment))
        wait_until_up(provider, provider_url)
        wait_until_up(service, service_url)
        yield Servers(provider_url, service_url, settings, lambda: stop(provider))


def free_ports(count: int) -> list[int]:
    """Return free ports, below the range that the system uses for connections."""
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - no secret
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            ports.add(port)
    return list(ports)


@contextmanager
def running(
    command: list[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process as long as the block lasts."""
    process = subprocess.Popen(command, cwd=folder, env=environment)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a process, by force if it does not end."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    process.kill()
    process.wait()


def wait_until_up(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until a server responds, with any status."""
    deadline = time.monotonic() + START
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            httpx.get(url + "/health/live", trust_env=False)
            return
        time.sleep(0.05)
    raise RuntimeError(f"No server at {url}")
