"""The client against servers that behave badly on a real socket."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import trustme
from avnology_id import AsyncAvnologyId, errors
from avnology_id.http import MAX_CALLS

pytestmark = pytest.mark.anyio

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMIT = 0.3
PATIENCE = 10.0
"""Seconds that a call may take where its limit is not what matters."""
HEAD = b"HTTP/1.1 200 OK\r\n"
BODY = b'{"active":false}'
OK = HEAD + b"Content-Length: 16\r\n\r\n" + BODY


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


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection before the request is read."""


def says(response: bytes, after: float = 0) -> Handler:
    """Respond to a request with these bytes, `after` some seconds, and close."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(after)
        await reader.readuntil(b"client_secret=cs_1")
        writer.write(response)
        await writer.drain()

    return handler


def connect(
    url: str, limit: float = PATIENCE, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncAvnologyId:
    return AsyncAvnologyId(
        base_url=url, client_id="app_1", client_secret="cs_1", timeout=limit, transport=transport
    )


async def outcome(server: Server, limit: float = PATIENCE, scheme: str = "http") -> str:
    """Return the response to a call, or the code and the cause of its error."""
    async with server as address:
        client = connect(f"{scheme}://{address}", limit)
        try:
            return (await client.oauth.introspect_token(token="x")).raw.decode()
        except errors.AvnologyIdError as error:
            return f"{error.code} {error.message}".strip()
        finally:
            await client.close()


RESPONSES = {
    "whole": (OK, BODY.decode()),
    "too long": (HEAD + b"Content-Length: 99999\r\n\r\n" + BODY.ljust(99_999), "long_answer"),
    "compressed": (OK.replace(b"\n", b"\nContent-Encoding: gzip\r\n", 1), "compressed_answer"),
    "another protocol": (b"SMTP ready\r\n\r\n", "connection "),
    "reason is not UTF-8": (OK.replace(b"OK", b"\xff\xfe"), "connection "),
    "ends early": (OK.replace(b"16", b"99"), "connection "),
}


@pytest.mark.parametrize(("response", "expected"), RESPONSES.values(), ids=RESPONSES)
async def test_response_is_read_within_limits(response: bytes, expected: str) -> None:
    """And never retried: a platform in trouble must not get every request twice."""
    server = Server(says(response))

    assert (await outcome(server)).startswith(expected)
    assert server.connections == 1


@pytest.mark.parametrize("status", [204, 307, 429, 500])
async def test_other_status_is_an_error(status: int) -> None:
    """It is not retried, and no redirect is followed: a token must not travel elsewhere."""
    other = Server(says(OK))
    async with other as address:
        head = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nLocation: http://" % status
        server = Server(says(head + address.encode() + b"\r\n\r\n"))

        assert await outcome(server) == f"status_{status}"
    assert (server.connections, other.connections) == (1, 0)


async def test_time_limit_is_kept() -> None:
    begin = time.monotonic()

    assert await outcome(Server(says(OK, after=LIMIT * 1.5)), LIMIT) == "timeout"
    assert time.monotonic() - begin > LIMIT * 0.9


async def test_closed_connection_is_retried_once() -> None:
    server = Server(hang_up, says(OK))

    assert await outcome(server) == BODY.decode()
    assert server.connections == 2


VERIFY = "tls SSLCertVerificationError CERTIFICATE_VERIFY_FAILED"
CERTIFICATES = {
    "trusted": ("localhost", True, BODY.decode()),
    "of an unknown issuer": ("localhost", False, f"{VERIFY} unable to get local issuer"),
    "for another host": ("id.example", True, f"{VERIFY} Hostname mismatch"),
}


@pytest.mark.parametrize(("name", "trusted", "end"), CERTIFICATES.values(), ids=CERTIFICATES)
async def test_certificate_decides(
    name: str, trusted: bool, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the cause. A second attempt would end in the same way."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(tls)
    handshakes: list[object] = []
    tls.sni_callback = lambda *names: handshakes.append(names[1])
    if trusted:
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))

    assert (await outcome(Server(says(OK), tls=tls), scheme="https")).startswith(end)
    assert len(handshakes) == 1


async def test_no_cookies_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one response sets does not go out with another request, nor a token to a proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    requests: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"client_secret=cs_1"))
        writer.write(OK.replace(b"\n", b"\nSet-Cookie: a=b\r\n", 1))
        await writer.drain()

    async with Server(handler) as address:
        client = connect(f"http://{address}")
        for _ in range(2):
            await client.oauth.introspect_token(token="x")
        await client.close()

    assert [b"cookie:" in request.lower() for request in requests] == [False, False]


async def test_calls_in_flight_are_bounded() -> None:
    """Another call waits a moment for a place."""
    gate = asyncio.Event()

    async def respond(request: httpx.Request) -> httpx.Response:
        await gate.wait()
        return httpx.Response(200, content=BODY)

    oauth = connect("http://id.example", transport=httpx.MockTransport(respond)).oauth
    calls = [asyncio.create_task(oauth.introspect_token(token="x")) for _ in range(MAX_CALLS)]
    await asyncio.sleep(0)
    with pytest.raises(errors.AvnologyIdError, match="busy"):
        await oauth.introspect_token(token="x")
    gate.set()
    await asyncio.gather(*calls)

    assert (await oauth.introspect_token(token="x")).active is False
