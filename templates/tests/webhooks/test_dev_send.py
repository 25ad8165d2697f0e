"""Events from the command line, as a developer sends them to the running service."""

import json

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.webhooks.signature import PATH, SIGNATURE, TIMESTAMP
from dev.__main__ import main
from dev.processes import listen, serving
from dev.signing import signed
from tests.ports import free_ports

DELETED = ("user.deleted", "--subject", "anna")


def send(*options: str, status: int = 200) -> tuple[int, list[Request], list[bytes]]:
    """Send one event to a service that responds with `status`."""
    requests, bodies = [], []

    async def take(request: Request) -> Response:
        requests.append(request)
        bodies.append(await request.body())
        return JSONResponse({}, status)

    listener = listen(0, "")
    with serving(Starlette(routes=[Route(PATH, take, methods=["POST"])]), listener):
        exit_code = main(["send", *options, "--port", str(listener.getsockname()[1])])
    return exit_code, requests, bodies


def test_event_about_a_user_is_signed() -> None:
    exit_code, (request,), (body,) = send(*DELETED)
    event = json.loads(body)

    assert exit_code == 0
    assert (event["type"], event["data"]) == ("user.deleted", {"user_id": "anna"})
    at = float(request.headers[TIMESTAMP])
    assert request.headers[SIGNATURE] == signed(body, at=at)[SIGNATURE]


def test_event_with_data_and_an_id() -> None:
    _, _, (body,) = send("invoice.paid", "--data", '{"invoice_id": 7}', "--id", "evt_1")
    event = json.loads(body)

    assert (event["id"], event["data"]) == ("evt_1", {"invoice_id": 7})


@pytest.mark.parametrize("data", ["7", "{"])
def test_data_that_is_no_json_object(data: str) -> None:
    with pytest.raises(SystemExit):
        main(["send", "invoice.paid", "--data", data])


def test_refused_event(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, _, _ = send(*DELETED, status=401)

    assert exit_code == 1
    assert "401" in capsys.readouterr().err


def test_no_service(capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)

    assert main(["send", *DELETED, "--port", str(port)]) == 1
    assert f"at http://127.0.0.1:{port}" in capsys.readouterr().err
