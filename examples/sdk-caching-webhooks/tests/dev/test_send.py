"""`python -m dev send`: events as a developer sends them to the running service."""

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


@pytest.mark.parametrize(
    ("options", "data"),
    [
        (["--subject", "anna"], {"user_id": "anna"}),
        (["--data", '{"invoice_id": 7}'], {"invoice_id": 7}),
    ],
)
@pytest.mark.parametrize(("status", "exit_code"), [(200, 0), (401, 1)])
def test_signed_event(
    options: list[str], data: dict[str, object], status: int, exit_code: int
) -> None:
    got: list[tuple[Request, bytes]] = []

    async def take(request: Request) -> Response:
        got.append((request, await request.body()))
        return JSONResponse({}, status)

    listener = listen(0, "")
    port = str(listener.getsockname()[1])
    with serving(Starlette(routes=[Route(PATH, take, methods=["POST"])]), listener):
        assert main(["send", "user.deleted", "--port", port, *options]) == exit_code
    ((request, body),) = got
    event = json.loads(body)

    assert (event["type"], event["data"]) == ("user.deleted", data)
    at = float(request.headers[TIMESTAMP])
    assert request.headers[SIGNATURE] == signed(body, at=at)[SIGNATURE]
