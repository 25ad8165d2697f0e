"""Further responses on a real socket, TLS, and what httpx and aiohttp do on their own."""

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest
import trustme

from app.auth.errors import ProviderUnavailable
from app.auth.provider import MAX_CALLS, network, retry_after
from tests.auth.test_provider import HEAD, OK, Server, endpoint_of, hang_up, outcome, says, trickle
from tests.callers import NOW

pytestmark = pytest.mark.anyio

CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
RESPONSES = {
    "chunked": (CHUNKED + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "{}"),
    "status is no number": (b"HTTP/1.1 abc OK\r\n\r\n", "connection"),
    "header without a colon": (HEAD + b"nonsense\r\n\r\n", "connection"),
    "length is no number": (HEAD + b"Content-Length: two\r\n\r\n{}", "connection"),
    "chunk is no number": (CHUNKED + b"zz\r\n", "connection"),
    "header of a megabyte": (HEAD + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", "connection"),
}


@pytest.mark.parametrize(("response", "expected"), RESPONSES.values(), ids=RESPONSES)
async def test_response(response: bytes, expected: str) -> None:
    server = Server(says(response))

    assert await outcome(server) == expected
    assert server.connections == 1


@pytest.mark.parametrize("status", [201, 204, 307, 400, 401, 403, 404, 429, 500, 503])
async def test_other_status(status: int) -> None:
    """It is not retried, and no redirect is followed: a token must not travel elsewhere."""
    reasons = {401: "own_credentials", 403: "own_credentials", 429: "rate_limit"}
    elsewhere = Server(says(OK))
    async with elsewhere as address:
        head = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nLocation: http://" % status
        server = Server(says(head + address.encode() + b"\r\n\r\n"))

        assert await outcome(server) == reasons.get(status, f"status_{status}")
    assert (server.connections, elsewhere.connections) == (1, 0)


@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ConnectTimeout])
async def test_refused_connection_is_retried_once(kind: type[httpx.TransportError]) -> None:
    """Which of the two it is differs between transports: httpx-aiohttp raises the second."""
    failures = [kind("refused"), kind("refused")]

    def refuse(request: httpx.Request) -> httpx.Response:
        raise failures.pop()

    with pytest.raises(ProviderUnavailable, match="connection") as refusal:
        await endpoint_of(httpx.MockTransport(refuse)).call()
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
async def test_cancelled_calls_leave_their_places(cancelled: bool) -> None:
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


async def test_connection_that_closes_twice() -> None:
    server = Server(hang_up, hang_up, says(OK))

    assert await outcome(server) == "connection"
    assert server.connections == 2


RETRY_AFTER = {
    "absurd": ("9" * 5000, 3600),
    "the first of dates": ("Mon, 01 Jan 0001 00:00:00 -0000", 1),
    "a fraction": ("1.5", 5),
    "a digit of another script": ("\u0667", 5),
}


@pytest.mark.parametrize(("value", "seconds"), RETRY_AFTER.values(), ids=RETRY_AFTER)
async def test_retry_after(value: str, seconds: int) -> None:
    assert retry_after(value, NOW) == seconds
