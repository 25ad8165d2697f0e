"""Further commands for development, and what they say when something is missing or taken."""

from typing import Annotated

import pytest
from fastapi import FastAPI, Security

from app.auth import Principal, bearer
from dev.__main__ import main
from dev.environment import HOST
from dev.processes import listen, serving
from dev.provider import Provider
from tests.callers import bearer as header
from tests.conftest import Start
from tests.ports import free_ports


def test_token_of_any_user(
    provider: Provider, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """With any scopes and claims: a JSON value stays what it is, other text is text."""
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

    headers = header(capsys.readouterr().out.strip())
    response = start(prepare=add_route).get("/invoices", headers=headers)

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
