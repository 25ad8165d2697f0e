"""The outside of the end-to-end suite: a real service process, and machines at a real provider."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dev.environment import HOST, Endpoints, bare_environment
from dev.processes import free_ports, running, service_command, wait_until_up
from dev.serving import NotStarted
from dev.variables import service_settings
from tests.callers import AUDIENCE

SCOPES = "read:widgets write:widgets"
SETTINGS = {"CLOCK_LEEWAY": "0", "IDP_TIMEOUT": "5"}
"""An expiry is one to the second, and a machine that is busy is given time."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A client of its own at the provider, with the calls that its owner and an operator make."""

    id: str
    secret: str
    provider: Endpoints
    http: httpx.Client

    def token(
        self, *, scope: str = SCOPES, audience: str = AUDIENCE, user: str | None = None
    ) -> str:
        """Get a token for the client itself, or for a `user` who signed in at it."""
        form = {
            "grant_type": "client_credentials" if user is None else "authorization_code",
            "scope": scope,
            "audience": audience,
            "code": user or "",
        }
        answer = self._post("/oauth2/token", {name: text for name, text in form.items() if text})
        token: str = answer.json()["access_token"]
        return token

    def revoke(self, token: str) -> None:
        """End one token, as the client."""
        self._post("/oauth2/revoke", {"token": token})

    def delete(self) -> None:
        """Delete the client, as an operator. It may be gone already."""
        answer = self.http.delete(f"{self.provider.admin}/clients/{self.id}")
        assert answer.status_code in (204, 404)

    def _post(self, path: str, form: dict[str, str]) -> httpx.Response:
        credentials = {"client_id": self.id, "client_secret": self.secret}
        answer = self.http.post(self.provider.public + path, data={**form, **credentials})
        return answer.raise_for_status()


@contextmanager
def machine(provider: Endpoints, lifespan: str | None = None) -> Iterator[Machine]:
    """Register a client under a name of its own, and delete it at the end.

    Its tokens live for `lifespan`, as `1s`.
    """
    name = f"end-to-end-{uuid.uuid4()}"
    registration: dict[str, Any] = {
        "client_id": name,
        "client_secret": f"{name}-secret",
        "scope": SCOPES,
        "audience": [AUDIENCE],
    }
    if lifespan is not None:
        registration["lifetime"] = float(lifespan.removesuffix("s"))
    with httpx.Client(trust_env=False) as http:
        http.post(f"{provider.admin}/clients", json=registration).raise_for_status()
        registered = Machine(name, registration["client_secret"], provider, http)
        try:
            yield registered
        finally:
            registered.delete()


@contextmanager
def service(provider: Endpoints, folder: Path, **variables: str) -> Iterator[httpx.Client]:
    """Start the service in an empty `folder` and return a caller of it.

    `variables` come on top of those that make it ask `provider`.
    """
    (port,) = free_ports(1)
    environment = {**SETTINGS, **service_settings(provider), **variables}
    url = f"http://{HOST}:{port}"
    log = folder / "service.log"
    with (
        log.open("wb") as output,
        running(
            service_command(port),
            environment=bare_environment(environment),
            folder=folder,
            output=output,
        ) as process,
    ):
        try:
            wait_until_up(process, f"{url}/health/live")
        except NotStarted as error:
            raise AssertionError(f"{error}\n{log.read_text()}") from error
        with httpx.Client(base_url=url, trust_env=False) as caller:
            yield caller


def poll(call: Callable[[], httpx.Response], status: int, seconds: float = 10) -> httpx.Response:
    """Repeat `call` until it has `status`, or return its last answer after `seconds`."""
    deadline = time.monotonic() + seconds
    answer = call()
    while answer.status_code != status and time.monotonic() < deadline:
        time.sleep(0.05)
        answer = call()
    return answer


def assert_invalid_token(response: httpx.Response) -> None:
    """Check that the caller is told to get another token, and nothing else."""
    assert response.status_code == 401
    assert response.headers["www-authenticate"].endswith(', error="invalid_token"')
    assert response.json() == {"detail": "Invalid or expired token"}
