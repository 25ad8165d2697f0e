"""A real service process, and machines at a real Hydra."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dev.environment import HOST, service_settings
from dev.processes import ROOT
from tests.callers import AUDIENCE
from tests.ports import free_ports

MODE = json.loads((ROOT / ".cookiecutter.json").read_text())["validation_mode"]
STRATEGY = "jwt" if MODE == "jwt" else "opaque"
INTROSPECTION = "/admin/oauth2/introspect"
KEYS = "/.well-known/jwks.json"

SCOPES = "read:widgets write:widgets"
SETTINGS = {"CLOCK_LEEWAY": "0", "IDP_TIMEOUT": "5"}
"""Seconds to wait for an expiry, also on a busy machine."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The two base URLs of a Hydra, and its issuer."""

    public: str
    admin: str
    issuer: str

    def settings(self) -> dict[str, str]:
        """Return the settings of a service that uses it."""
        own = {"OLYMPUS_ISSUER": self.issuer, "OLYMPUS_JWKS_URL": self.public + KEYS}
        if MODE == "introspection":
            own = {
                "OLYMPUS_ISSUER": self.issuer,
                "HYDRA_INTROSPECT_URL": self.admin + INTROSPECTION,
            }
        return {**service_settings(), **own}


@dataclass(frozen=True, slots=True)
class Machine:
    """A registered client, with the calls of its owner and of an operator."""

    id: str
    secret: str
    provider: Endpoints
    http: httpx.Client

    def token(self, *, scope: str = SCOPES, audience: str = AUDIENCE) -> str:
        """Get a token by the client's own credentials."""
        form = {"grant_type": "client_credentials", "scope": scope, "audience": audience}
        answer = self._post("/oauth2/token", {name: text for name, text in form.items() if text})
        token: str = answer.json()["access_token"]
        return token

    def revoke(self, token: str) -> None:
        """Revoke one token, as the client."""
        self._post("/oauth2/revoke", {"token": token})

    def delete(self) -> None:
        """Delete the client, as an operator. It may be gone already."""
        answer = self.http.delete(f"{self.provider.admin}/admin/clients/{self.id}")
        assert answer.status_code in (204, 404)

    def _post(self, path: str, form: dict[str, str]) -> httpx.Response:
        credentials = (self.id, self.secret)
        answer = self.http.post(self.provider.public + path, data=form, auth=credentials)
        return answer.raise_for_status()


@contextmanager
def machine(provider: Endpoints, lifespan: str | None = None) -> Iterator[Machine]:
    """Register a client with a unique id, and delete it at the end.

    Its tokens expire after `lifespan`, such as `1s`.
    """
    name = f"end-to-end-{uuid.uuid4()}"
    registration: dict[str, Any] = {
        "client_id": name,
        "client_name": name,
        "client_secret": f"{name}-secret",
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": SCOPES,
        "audience": [AUDIENCE],
        "access_token_strategy": STRATEGY,
    }
    if lifespan is not None:
        registration["client_credentials_grant_access_token_lifespan"] = lifespan
    with httpx.Client(trust_env=False) as http:
        http.post(f"{provider.admin}/admin/clients", json=registration).raise_for_status()
        registered = Machine(name, registration["client_secret"], provider, http)
        try:
            yield registered
        finally:
            registered.delete()


@contextmanager
def service(
    provider: Endpoints, folder: Path, app: str = "app.main:app", **variables: str
) -> Iterator[httpx.Client]:
    """Run the service in an empty `folder`, or the one that the factory `app` makes.

    Return a caller of it. `variables` come on top of those that make it use `provider`.
    """
    (port,) = free_ports(1)
    environment = {"PATH": os.environ["PATH"], **SETTINGS, **provider.settings(), **variables}
    factory = [] if app == "app.main:app" else ["--factory"]
    command = [sys.executable, "-m", "uvicorn", app, *factory, "--app-dir", str(ROOT)]
    command += ["--host", HOST, "--port", str(port)]
    log = folder / "service.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=environment, cwd=folder, stdout=output, stderr=output
        ) as process,
        httpx.Client(base_url=f"http://{HOST}:{port}", trust_env=False) as caller,
    ):
        try:
            wait_until_up(process, caller, log)
            yield caller
        finally:
            process.terminate()


def wait_until_up(process: "subprocess.Popen[bytes]", caller: httpx.Client, log: Path) -> None:
    """Wait until the service is alive."""
    deadline = time.monotonic() + 30
    while True:
        with suppress(httpx.HTTPError):
            caller.get("/health/live").raise_for_status()
            return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def poll(call: Callable[[], httpx.Response], status: int, seconds: float = 10) -> httpx.Response:
    """Repeat `call` until it has `status`, or return the last response after `seconds`."""
    deadline = time.monotonic() + seconds
    answer = call()
    while answer.status_code != status and time.monotonic() < deadline:
        time.sleep(0.05)
        answer = call()
    return answer


def assert_invalid_token(response: httpx.Response) -> None:
    """Check for a 401 `invalid_token` without further details."""
    assert response.status_code == 401
    assert response.headers["www-authenticate"].endswith(', error="invalid_token"')
    assert response.json() == {"detail": "Invalid or expired token"}
