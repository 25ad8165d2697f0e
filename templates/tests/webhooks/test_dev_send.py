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


def send(*options: str, status: int = 200) -> tuple[int, Request, bytes]:
    """Send one event to a service that responds with `status`. Return what it got."""
    got: list[tuple[Request, bytes]] = []

    async def take(request: Request) -> Response:
        got.append((request, await request.body()))
        return JSONResponse({}, status)

    listener = listen(0, "")
    with serving(Starlette(routes=[Route(PATH, take, methods=["POST"])]), listener):
        exit_code = main(["send", *options, "--port", str(listener.getsockname()[1])])
    return exit_code, *got[0]


def test_event_about_a_user() -> None:
    exit_code, request, body = send("user.deleted", "--subject", "anna")
    event = json.loads(body)

    assert exit_code == 0
    assert (event["type"], event["data"]) == ("user.deleted", {"user_id": "anna"})
    at = float(request.headers[TIMESTAMP])
    assert request.headers[SIGNATURE] == signed(body, at=at)[SIGNATURE]


def test_event_with_data_and_an_id() -> None:
    _, _, body = send("invoice.paid", "--data", '{"invoice_id": 7}', "--id", "evt_1")
    event = json.loads(body)

    assert (event["id"], event["data"]) == ("evt_1", {"invoice_id": 7})


def test_refused_event(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, _, _ = send("user.deleted", status=401)

    assert exit_code == 1
    assert "401" in capsys.readouterr().err


@pytest.mark.parametrize("data", ["7", "{"])
def test_data_that_is_no_json_object(data: str) -> None:
    with pytest.raises(SystemExit):
        main(["send", "invoice.paid", "--data", data])
