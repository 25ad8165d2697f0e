"""The local identity provider: its endpoints for clients, and its commands."""

import os
import re
import signal
import subprocess
import sys
from typing import Annotated, Any

import anyio
import httpx
import pytest
from fastapi import FastAPI, Security

from app.auth import Principal, bearer
from dev.__main__ import main
from dev.environment import HOST
from dev.oauth import ABSENT
from dev.processes import ROOT, listen, serving
from dev.provider import Provider
from tests.callers import bearer as header
from tests.conftest import Start
from tests.ports import free_ports

WRITER = ("writer", "writer-secret")
MACHINE = {"grant_type": "client_credentials"}


def post(provider: Provider, path: str, auth: Any, form: dict[str, str]) -> httpx.Response:
    """Send a form to the provider."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(provider)
        async with httpx.AsyncClient(transport=transport, base_url="http://provider") as client:
            return await client.post(path, auth=auth, data=form)

    return anyio.run(send)


def test_client_gets_a_token(provider: Provider) -> None:
    form = {**MACHINE, "scope": "read:widgets", "audience": "https://widgets.example"}
    response = post(provider, "/oauth2/token", WRITER, form).json()
    token = provider.find(response.pop("access_token"))

    assert response == {"token_type": "bearer", "expires_in": 3600, "scope": "read:widgets"}
    assert token is not None
    assert token.claims["sub"] == "writer"


REFUSED = {
    "unknown client": (("other", "other-secret"), MACHINE, 401, "invalid_client"),
    "wrong secret": (("writer", "wrong"), MACHINE, 401, "invalid_client"),
    "foreign scope": (WRITER, {**MACHINE, "scope": "admin"}, 400, "invalid_scope"),
    "foreign audience": (WRITER, {**MACHINE, "audience": "billing"}, 400, "invalid_request"),
    "unknown grant": (WRITER, {"grant_type": "password"}, 400, "unsupported_grant_type"),
}


@pytest.mark.parametrize(("auth", "form", "status", "error"), REFUSED.values(), ids=REFUSED)
def test_wrong_request_gets_no_token(
    provider: Provider, auth: Any, form: dict[str, str], status: int, error: str
) -> None:
    response = post(provider, "/oauth2/token", auth, form)

    assert (response.status_code, response.json()) == (status, {"error": error})


def test_only_its_client_revokes_a_token(provider: Provider) -> None:
    """The response to another client is the same."""
    token = provider.issue(client_id="writer")
    for client, known in ("reader", True), ("writer", False):
        response = post(provider, "/oauth2/revoke", (client, f"{client}-secret"), {"token": token})

        assert (response.status_code, response.content) == (200, b"")
        assert (provider.find(token) is not None) is known


def test_claims_replace_add_and_take_away(provider: Provider) -> None:
    token = provider.find(provider.issue(iat="soon", tenant=7, sub=ABSENT))

    assert token is not None
    assert (token.claims["iat"], token.claims["tenant"]) == ("soon", 7)
    assert "sub" not in token.claims


def test_command_prints_a_token_for_any_user(
    provider: Provider, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any scopes and claims: a JSON value stays what it is, other text is text."""
    listener = listen(0, "")
    options = ["--subject", "anna", "--scope", "read:invoices", "--claim", "level=7"]
    options += ["--claim", "role=admin", "--provider-port", str(listener.getsockname()[1])]
    with serving(provider, listener):
        exit_code = main(["token", *options])

    def add_route(app: FastAPI) -> None:
        @app.get("/invoices")
        async def show(
            principal: Annotated[Principal, Security(bearer, scopes=["read:invoices"])],
        ) -> list[object]:
            return [principal.subject, principal.claims["level"], principal.claims["role"]]

    response = start(prepare=add_route).get(
        "/invoices", headers=header(capsys.readouterr().out.strip())
    )

    assert exit_code == 0
    assert response.json() == ["anna", 7, "admin"]


def test_token_needs_a_running_provider(capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)

    assert main(["token", "--provider-port", str(port)]) == 1
    assert f"at http://{HOST}:{port}" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--port", "--provider-port"])
def test_taken_port_names_its_option(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with listen(0, option) as taken:
        ports = dict(zip(["--port", "--provider-port"], free_ports(2), strict=True))
        ports[option] = taken.getsockname()[1]
        exit_code = main(["run", *[str(word) for pair in ports.items() for word in pair]])

    assert exit_code == 1
    assert capsys.readouterr().err.endswith(f"Choose another one with {option}.\n")


def test_run_serves_and_ends() -> None:
    """The printed `curl` line works, and SIGTERM ends both servers, as Ctrl-C does."""
    port, provider_port = free_ports(2)
    command = [sys.executable, "-m", "dev", "run", "--port", str(port)]
    command += ["--provider-port", str(provider_port)]
    environment = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "curl" in line)
        found = re.fullmatch(r"  curl -H 'Authorization: (Bearer \S+)' (\S+)\n", line)
        assert found is not None
        response = httpx.get(found[2], headers={"Authorization": found[1]}, trust_env=False)
        # Not SIGINT: a shell that runs the tests in the background has them ignore it.
        process.send_signal(signal.SIGTERM)
        try:
            exit_code = process.wait(20)
        finally:
            process.kill()

    assert (response.status_code, exit_code) == (200, 128 + signal.SIGTERM)
    for ended in (port, provider_port):
        listen(ended, "").close()
