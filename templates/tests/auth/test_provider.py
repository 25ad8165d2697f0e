"""The client of the identity provider, against servers that behave badly on a real socket."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from app.auth.errors import ProviderUnavailable
from app.auth.provider import MAX_CALLS, ProviderEndpoint, network, retry_after
from tests.callers import NOW

pytestmark = pytest.mark.anyio

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENCE = 10.0
"""Seconds that a call may take where its limit is not what matters."""
HEAD = b"HTTP/1.1 200 OK\r\n"
OK = HEAD + b"Content-Length: 2\r\n\r\n{}"


def endpoint_of(
    transport: httpx.AsyncBaseTransport, url: str = "http://localhost", limit: float = PATIENCE
) -> ProviderEndpoint:
    return ProviderEndpoint(transport, "POST", url, {}, limit, time.time)


class Server:
    """Serves connections on loopback: each with the next of `handlers`, later ones the last."""

    def __init__(self, *handlers: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.handlers = handlers
        self.tls = tls
        self.connections = 0

    async def __aenter__(self) -> str:
        self.listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        return f"localhost:{self.listener.sockets[0].getsockname()[1]}/"

    async def __aexit__(self, *_: object) -> None:
        self.listener.close()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.handlers[min(self.connections, len(self.handlers)) - 1](reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def outcome(server: Server, limit: float = PATIENCE, scheme: str = "http") -> str:
    """Return the body of a response, or the reason why there is none."""
    async with server as address, network() as transport:
        try:
            endpoint = endpoint_of(transport, f"{scheme}://{address}", limit)
            return (await endpoint.call(b"token=x")).decode()
        except ProviderUnavailable as refusal:
            return refusal.reason


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection before the request is read."""


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 40\r\n\r\n")
    for _ in range(40):
        writer.write(b"x")
        await asyncio.sleep(0.02)


def says(response: bytes, after: float = 0) -> Handler:
    """Respond to a request with these bytes, `after` some seconds, and close."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(after)
        await reader.readuntil(b"token=x")
        writer.write(response)
        await writer.drain()

    return handler


RESPONSES = {
    "whole": (OK, "{}"),
    "as long as allowed": (HEAD + b"Content-Length: 65536\r\n\r\n" + b"a" * 65_536, "a" * 65_536),
    "too long": (HEAD + b"Content-Length: 1000000\r\n\r\n" + b"a" * 1_000_000, "long_answer"),
    "compressed": (OK.replace(b"\n", b"\nContent-Encoding: gzip\r\n", 1), "compressed_answer"),
    "ends early": (HEAD + b"Content-Length: 99\r\n\r\n{}", "connection"),
    "another protocol": (b"SMTP ready\r\n\r\n", "connection"),
    "reason is not UTF-8": (OK.replace(b"OK", b"\xff\xfe"), "connection"),
    "redirect": (b"HTTP/1.1 307 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "status_307"),
    "other status": (b"HTTP/1.1 201 X\r\nContent-Length: 2\r\n\r\n{}", "status_201"),
    "own credentials": (b"HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", "own_credentials"),
    "rate limit": (b"HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n", "rate_limit"),
}


@pytest.mark.parametrize(("response", "expected"), RESPONSES.values(), ids=RESPONSES)
async def test_response(response: bytes, expected: str) -> None:
    """It is never retried: a provider in trouble must not get every request twice."""
    server = Server(says(response))

    assert await outcome(server) == expected
    assert server.connections == 1


LIMIT = 0.3
SLOW = {
    "no response": [says(OK, after=LIMIT * 1.5)],
    "a byte now and then": [trickle],
    "the retry": [says(b"", after=LIMIT * 0.6), says(OK, after=LIMIT * 0.6)],
}


@pytest.mark.parametrize("handlers", SLOW.values(), ids=SLOW)
async def test_time_limit_covers_everything(handlers: list[Handler]) -> None:
    begin = time.monotonic()

    assert await outcome(Server(*handlers), LIMIT) == "timeout"
    assert time.monotonic() - begin > LIMIT * 0.9


@pytest.mark.parametrize(("second", "expected"), [(says(OK), "{}"), (hang_up, "connection")])
async def test_closed_connection_is_retried_once(second: Handler, expected: str) -> None:
    server = Server(hang_up, second)

    assert await outcome(server) == expected
    assert server.connections == 2


async def test_calls_in_flight_are_bounded() -> None:
    """Another call waits a moment for a place. A call that is cancelled leaves its own."""
    gate = asyncio.Event()

    async def respond(request: httpx.Request) -> httpx.Response:
        await gate.wait()
        return httpx.Response(200, content=b"{}")

    endpoint = endpoint_of(httpx.MockTransport(respond))
    calls = [asyncio.create_task(endpoint.call()) for _ in range(MAX_CALLS)]
    await asyncio.sleep(0)
    with pytest.raises(ProviderUnavailable, match="busy"):
        await endpoint.call()
    calls.pop().cancel()
    next_call = asyncio.create_task(endpoint.call())
    await asyncio.sleep(0)
    gate.set()

    assert await asyncio.gather(next_call, *calls) == [b"{}"] * MAX_CALLS


RETRY_AFTER = {
    "7": 7,
    "0": 1,
    "86400": 3600,
    "Fri, 15 Jan 2027 08:00:30 GMT": 30,
    "Fri, 15 Jan 2021 08:00:00 GMT": 1,
    "Fri, 15 Jan 99999999999999999999 08:00:30 GMT": 5,
    "soon": 5,
    "-7": 5,
    "": 5,
}


@pytest.mark.parametrize(("value", "seconds"), RETRY_AFTER.items())
async def test_retry_after(value: str, seconds: int) -> None:
    assert retry_after(value, NOW) == seconds
