"""What callers of the service see, and the reason in its log, for tokens of any server."""

import time
from collections.abc import Callable

import httpx
import pytest

from tests.servers.service import Service


def skip_where(lacks: str | None) -> None:
    """Skip the tests of a server that cannot run on this machine. `lacks` says why."""
    if lacks is not None:
        pytest.skip(lacks)


def assert_refused(caller: Service, token: str, reason: str) -> None:
    """Check for a 401 `invalid_token`, and for the reason in the log."""
    response = caller.get(token)

    assert response.status_code == 401
    assert response.headers["www-authenticate"].endswith(', error="invalid_token"')
    assert response.json() == {"detail": "Invalid or expired token"}
    assert caller.reason(token) == reason


def assert_unavailable(response: httpx.Response) -> None:
    """Check for a 503 with `Retry-After`."""
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert "www-authenticate" not in response.headers
    assert response.json() == {"detail": "Identity provider unavailable"}


def poll(call: Callable[[], httpx.Response], status: int, seconds: float = 10) -> None:
    """Repeat `call` until it has `status`, for a few seconds at most."""
    deadline = time.monotonic() + seconds
    while call().status_code != status and time.monotonic() < deadline:
        time.sleep(0.05)
