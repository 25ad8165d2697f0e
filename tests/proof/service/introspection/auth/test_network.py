"""What aiohttp makes of bad connections, and how many calls it gets at once."""

import asyncio

import httpx
import pytest

from app.auth.errors import ProviderUnavailable
from app.auth.verifier import MAX_CALLS, ProviderVerifier
from tests.auth.servers import OK, PATIENCE, Handler, Server, hang_up, outcome, says
from tests.callers import Clock

pytestmark = pytest.mark.anyio

LIMIT = 0.3


@pytest.mark.parametrize(("second", "expected"), [(says(OK), "ok"), (hang_up, "connection")])
async def test_closed_connection_is_retried_once(second: Handler, expected: str) -> None:
    server = Server(hang_up, second)

    assert await outcome(server) == expected
    assert server.connections == 2


async def test_time_limit_covers_the_retry() -> None:
    server = Server(says(b"", after=LIMIT * 0.6), says(OK, after=LIMIT * 0.6))

    assert await outcome(server, LIMIT) == "timeout"
    assert server.connections == 2


async def test_reason_phrase_is_not_utf8() -> None:
    """It is a `UnicodeError`, which no error of httpx stands for."""
    assert await outcome(Server(says(OK.replace(b"OK", b"\xff\xfe")))) == "connection"


@pytest.mark.parametrize("cancelled", [True, False])
async def test_calls_in_flight_are_bounded(cancelled: bool) -> None:
    """Another call waits a moment for a place. A cancelled call frees its place."""
    gate = asyncio.Event()

    async def respond(request: httpx.Request) -> httpx.Response:
        await gate.wait()
        return httpx.Response(200, json={"active": True, "sub": "anna"})

    url, headers = httpx.URL("http://provider"), httpx.Headers()
    wire = httpx.MockTransport(respond)
    verifier = ProviderVerifier(wire, url, headers, PATIENCE, Clock())
    calls = [asyncio.create_task(verifier.verify("opaque")) for _ in range(MAX_CALLS)]
    await asyncio.sleep(0)
    with pytest.raises(ProviderUnavailable) as refusal:
        await verifier.verify("opaque")
    assert refusal.value.reason == "busy"
    if cancelled:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    gate.set()

    assert (await verifier.verify("opaque")).subject == "anna"
    await asyncio.gather(*calls, return_exceptions=True)
    assert {call.cancelled() for call in calls} == {cancelled}
