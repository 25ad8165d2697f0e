"""Starts and stops the provider and the service on this machine."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from dev.environment import HOST

ROOT = Path(__file__).resolve().parent.parent
"""The folder of the project."""


class Failed(Exception):
    """A command cannot go on. The text is for people."""


def listen(port: int, option: str) -> socket.socket:
    """Return a socket that listens on this machine; port 0 is any free one.

    Raises `Failed` when the port is taken. `option` changes it.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = f"Cannot listen on port {port}: {error.strerror}."
        raise Failed(f"{reason} Choose another one with {option}.") from None


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Serve `app` in a thread as long as the block lasts."""
    config = uvicorn.Config(app, lifespan="off", log_level="warning", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def running_service(port: int, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service as long as the block lasts. It reloads when its code changes."""
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--reload", "--reload-dir", "app"]
    command += ["--host", HOST, "--port", str(port), "--timeout-graceful-shutdown", "2"]
    # A session of its own: Ctrl-C reaches this process alone, which then stops the other one.
    with subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def wait_until_up(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until a GET of `url` is a 200. Raises `Failed` when the process ends before."""
    while process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        time.sleep(0.05)
    raise Failed(f"The service ended before {url} responded.")


def post(port: int, path: str, **options: Any) -> Any:
    """Send what httpx makes of `options` to a server of `make run` and return the JSON response.

    Raises `Failed`.
    """
    url = f"http://{HOST}:{port}{path}"
    try:
        return httpx.post(url, trust_env=False, **options).raise_for_status().json()
    except httpx.HTTPError as error:
        raise Failed(f"{error} at {url}: it needs `make run`.") from None


def example_path(url: str, token: str) -> str:
    """Return the path of a route of the service at `url` that accepts `token`, if it has one."""
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as client:
        response = client.get(url + "/openapi.json")
        paths = response.json()["paths"] if response.is_success else {}
        for path, operations in paths.items():
            is_readable = "{" not in path and operations.get("get", {}).get("security")
            if is_readable and client.get(url + path).status_code == 200:
                return str(path)
    return "/health/ready"
