"""The client of the identity provider, against servers that behave badly on a real socket.

They show how aiohttp reports failures, what TLS does, and that nothing comes from the environment.
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trustme

from app.auth.errors import ProviderUnavailable
from app.auth.provider import MAX_CALLS, ProviderEndpoint, network, retry_after
from tests.callers import NOW

pytestmark = pytest.mark.anyio

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMIT = 0.3
PATIENCE = 10.0
"""Seconds that a call may take where its limit is not what matters."""
HEAD = b"HTTP/1.1 200 OK\r\n"
OK = HEAD + b"Content-Length: 2\r\n\r\n{}"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def endpoint_of(
    transport: httpx.AsyncBaseTransport, url: str = "http://localhost"
) -> ProviderEndpoint:
    return ProviderEndpoint(transport, "POST", httpx.URL(url), httpx.Headers(), PATIENCE, time.time)


class Server:
    """Serves connections on loopback: each with the next of `handlers`, later ones the last."""

    def __init__(self, *handlers: Handler, tls: ssl.SSLContext | None = None) -> None:
        """Serve with TLS if there is a context for it."""
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


async def outcome(server: Server, limit: float = PATIENCE, scheme: str = "http") -> str:
    """Return the body of a response, or the reason why there is none."""
    async with server as address, network() as transport:
        url = f"{scheme}://{address}"
        try:
            endpoint = replace(endpoint_of(transport, url), time_limit=limit)
            return (await endpoint.call(b"token=x")).decode()
        except ProviderUnavailable as refusal:
            return refusal.reason


RESPONSES = {
    "whole": (OK, "{}"),
    "chunked": (CHUNKED + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "{}"),
    "as long as allowed": (HEAD + b"Content-Length: 65536\r\n\r\n" + b"a" * 65_536, "a" * 65_536),
    "too long": (HEAD + b"Content-Length: 1000000\r\n\r\n" + b"a" * 1_000_000, "long_answer"),
    "compressed": (OK.replace(b"\n", b"\nContent-Encoding: gzip\r\n", 1), "compressed_answer"),
    "another protocol": (b"SMTP ready\r\n\r\n", "connection"),
    "status is no number": (b"HTTP/1.1 abc OK\r\n\r\n", "connection"),
    "reason is not UTF-8": (OK.replace(b"OK", b"\xff\xfe"), "connection"),
    "header without a colon": (HEAD + b"nonsense\r\n\r\n", "connection"),
    "length is no number": (HEAD + b"Content-Length: two\r\n\r\n{}", "connection"),
    "ends early": (HEAD + b"Content-Length: 99\r\n\r\n{}", "connection"),
    "chunk is no number": (CHUNKED + b"zz\r\n", "connection"),
    "header of a megabyte": (HEAD + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", "connection"),
}


@pytest.mark.parametrize(("response", "expected"), RESPONSES.values(), ids=RESPONSES)
async def test_response_is_read_within_limits(response: bytes, expected: str) -> None:
    """And never retried: a provider in trouble must not get every request twice."""
    server = Server(says(response))

    assert await outcome(server) == expected
    assert server.connections == 1


@pytest.mark.parametrize("status", [201, 204, 307, 400, 401, 403, 404, 429, 500, 503])
async def test_other_status_is_an_outage(status: int) -> None:
    """It is not retried, and no redirect is followed: a token must not travel elsewhere."""
    reasons = {401: "own_credentials", 403: "own_credentials", 429: "rate_limit"}
    other = Server(says(OK))
    async with other as address:
        head = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nLocation: http://" % status
        server = Server(says(head + address.encode() + b"\r\n\r\n"))

        assert await outcome(server) == reasons.get(status, f"status_{status}")
    assert (server.connections, other.connections) == (1, 0)


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


@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ConnectTimeout])
async def test_refused_connection_is_retried_once(kind: type[httpx.TransportError]) -> None:
    """Which of the two it is differs between transports: httpx-aiohttp raises the second."""
    failures = [kind("refused"), kind("refused")]

    def refuse(request: httpx.Request) -> httpx.Response:
        raise failures.pop()

    endpoint = endpoint_of(httpx.MockTransport(refuse))
    with pytest.raises(ProviderUnavailable, match="connection") as refusal:
        await endpoint.call()
    assert refusal.value.__suppress_context__
    assert failures == []


CERTIFICATES = {
    "trusted": ("localhost", True, "{}"),
    "of an unknown issuer": ("localhost", False, "tls"),
    "for another host": ("id.example", True, "tls"),
}


@pytest.mark.parametrize(("name", "trusted", "end"), CERTIFICATES.values(), ids=CERTIFICATES)
async def test_certificate_decides(
    name: str,
    trusted: bool,
    end: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log names the cause of a refusal. A second attempt would end in the same way."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(tls)
    handshakes: list[object] = []
    tls.sni_callback = lambda *names: handshakes.append(names[1])
    if trusted:
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))

    assert await outcome(Server(says(OK), tls=tls), scheme="https") == end
    assert len(handshakes) == 1
    cause = "error=SSLCertVerificationError reason=CERTIFICATE_VERIFY_FAILED cause="
    assert (cause in caplog.text) is (end == "tls")


async def test_server_without_tls() -> None:
    server = Server(trickle)

    assert await outcome(server, scheme="https") == "tls"
    assert server.connections == 1


async def test_no_cookies_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one response sets does not go out with another request, nor a token to a proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    requests: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"token=x"))
        writer.write(OK.replace(b"\n", b"\nSet-Cookie: a=b\r\n", 1))
        await writer.drain()

    async with Server(handler) as address, network() as transport:
        endpoint = endpoint_of(transport, f"http://{address}")
        for _ in range(2):
            await endpoint.call(b"token=x")

    assert [b"cookie:" in request.lower() for request in requests] == [False, False]


@pytest.mark.parametrize("cancelled", [True, False])
async def test_calls_in_flight_are_bounded(cancelled: bool) -> None:
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
    if cancelled:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    gate.set()

    assert await endpoint.call() == b"{}"
    await asyncio.gather(*calls, return_exceptions=True)
    assert {call.cancelled() for call in calls} == {cancelled}


RETRY_AFTER = {
    "absurd": ("9" * 5000, 3600),
    "the first of dates": ("Mon, 01 Jan 0001 00:00:00 -0000", 1),
    "a fraction": ("1.5", 5),
    "negative": ("-7", 5),
    "a digit of another script": ("\u0667", 5),
}


@pytest.mark.parametrize(("value", "seconds"), RETRY_AFTER.values(), ids=RETRY_AFTER)
async def test_retry_after(value: str, seconds: int) -> None:
    assert retry_after(value, NOW) == seconds
