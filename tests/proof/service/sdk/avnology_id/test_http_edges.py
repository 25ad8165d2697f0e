"""Further servers that behave badly on a real socket, and callers that go away."""

import asyncio

import httpx
import pytest
from avnology_id import errors
from avnology_id.http import MAX_CALLS

from tests.avnology_id.test_http import (
    BODY,
    HEAD,
    LIMIT,
    OK,
    Handler,
    Server,
    connect,
    hang_up,
    outcome,
    says,
)

pytestmark = pytest.mark.anyio


def of_length(length: int) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % length + BODY.ljust(length)


RESPONSES = {
    "as long as allowed": (of_length(65_536), BODY.ljust(65_536).decode()),
    "one byte too long": (of_length(65_537), "long_answer"),
    "a megabyte": (of_length(1_000_000), "long_answer"),
    "length is no number": (HEAD + b"Content-Length: two\r\n\r\n" + BODY, "connection "),
    "chunk is no number": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "connection "),
    "header of a megabyte": (HEAD + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", "connection "),
}


@pytest.mark.parametrize(("response", "expected"), RESPONSES.values(), ids=RESPONSES)
async def test_response_is_read_within_limits(response: bytes, expected: str) -> None:
    server = Server(says(response))

    assert (await outcome(server)).startswith(expected)
    assert server.connections == 1


@pytest.mark.parametrize("status", [201, 302, 400, 401, 404, 503])
async def test_other_status_is_an_error(status: int) -> None:
    server = Server(says(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status))

    assert await outcome(server) == f"status_{status}"
    assert server.connections == 1


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then."""
    writer.write(HEAD + b"Content-Length: 40\r\n\r\n")
    for _ in range(40):
        writer.write(b"x")
        await asyncio.sleep(0.02)


RETRY = [says(b"", after=LIMIT * 0.6), says(OK, after=LIMIT * 0.6)]


@pytest.mark.parametrize("handlers", [[trickle], RETRY], ids=["byte by byte", "the retry"])
async def test_time_limit_covers_everything(handlers: list[Handler]) -> None:
    assert await outcome(Server(*handlers), LIMIT) == "timeout"


async def test_retry_is_not_retried() -> None:
    server = Server(hang_up)

    assert await outcome(server) == "connection ConnectTimeout"
    assert server.connections == 2


async def test_client_closes_more_than_once() -> None:
    async with Server(says(OK)) as address:
        client = connect(f"http://{address}")
        await client.oauth.introspect_token(token="x")
        await client.close()
        await client.close()
        with pytest.raises(errors.AvnologyIdError, match="connection"):
            await client.oauth.introspect_token(token="x")


async def test_cancelled_call_leaves_its_place() -> None:
    gate = asyncio.Event()

    async def respond(request: httpx.Request) -> httpx.Response:
        await gate.wait()
        return httpx.Response(200, content=BODY)

    oauth = connect("http://id.example", transport=httpx.MockTransport(respond)).oauth
    calls = [asyncio.create_task(oauth.introspect_token(token="x")) for _ in range(MAX_CALLS)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    gate.set()

    assert (await oauth.introspect_token(token="x")).active is False
