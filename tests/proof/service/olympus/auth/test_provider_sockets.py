"""The calls to the identity provider, against servers that behave badly on a real socket.

They show how failures are reported, what TLS does, and that nothing comes from the environment.
"""

import asyncio
import re
import ssl
import time
from pathlib import Path

import httpx
import pytest
import trustme

from app.auth.errors import ProviderUnavailable
from app.auth.provider import bounded, retry_after, send
from app.auth.verifier import open_verifier
from tests.auth.servers import (
    DOCUMENT,
    HEAD,
    OK,
    PATIENCE,
    Handler,
    Server,
    outcome,
    read_request,
    says,
    settings_for,
    trickle,
)
from tests.callers import NOW, Clock

pytestmark = pytest.mark.anyio

LIMIT = 0.3
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"1\r\n{\r\n%x\r\n" % (len(DOCUMENT) - 1) + DOCUMENT[1:] + b"\r\n0\r\n\r\n"
LONG = HEAD + b"Content-Length: %d\r\n\r\n"

RESPONSES = {
    "whole": (OK, "ok"),
    "chunked": (CHUNKED + CHUNKS, "ok"),
    "as long as allowed": (LONG % 65_536 + DOCUMENT.ljust(65_536), "ok"),
    "too long": (LONG % 1_000_000 + DOCUMENT.ljust(1_000_000), "long_answer"),
    "compressed": (OK.replace(b"\n", b"\nContent-Encoding: gzip\r\n", 1), "compressed_answer"),
    "another protocol": (b"SMTP ready\r\n\r\n", "connection"),
    "status is no number": (b"HTTP/1.1 abc OK\r\n\r\n", "connection"),
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
async def test_other_status_is_an_outage(status: int, caplog: pytest.LogCaptureFixture) -> None:
    """It is not retried, and no redirect is followed: a token must not travel elsewhere."""
    reasons = {401: "own_credentials", 403: "own_credentials", 429: "rate_limit"}
    other = Server(says(OK))
    async with other as address:
        head = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nLocation: http://" % status
        server = Server(says(head + address.encode() + b"\r\n\r\n"))

        assert await outcome(server) == reasons.get(status, f"status_{status}")
    assert (server.connections, other.connections) == (1, 0)
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    refused = f"identity provider refuses this service status={status}"
    assert errors == ([refused] if status in (401, 403) else [])


SLOW = {"no response": says(OK, after=LIMIT * 1.5), "a byte now and then": trickle}


@pytest.mark.parametrize("handler", SLOW.values(), ids=SLOW)
async def test_time_limit_covers_everything(handler: Handler) -> None:
    begin = time.monotonic()

    assert await outcome(Server(handler), LIMIT) == "timeout"
    assert time.monotonic() - begin > LIMIT * 0.9


@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ConnectTimeout])
async def test_refused_connection_is_retried_once(kind: type[httpx.TransportError]) -> None:
    """Which of the two it is differs between transports."""
    failures = [kind("refused"), kind("refused")]

    def refuse(request: httpx.Request) -> httpx.Response:
        raise failures.pop()

    request = httpx.Request("GET", "http://localhost")
    with pytest.raises(ProviderUnavailable) as refusal:
        await bounded(send(httpx.MockTransport(refuse), request, Clock()), PATIENCE)
    assert refusal.value.reason == "connection"
    assert refusal.value.__suppress_context__
    assert failures == []


CERTIFICATES = {
    "trusted": ("localhost", True, "ok"),
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
    cause = r"error=SSLCertVerificationError reason=CERTIFICATE_VERIFY_FAILED cause=['\"]\w"
    assert (re.search(cause, caplog.text) is not None) is (end == "tls")


async def test_server_without_tls() -> None:
    server = Server(trickle)

    assert await outcome(server, scheme="https") == "tls"
    assert server.connections == 1


async def test_no_cookies_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one response sets does not go out with another request, nor a token to a proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    requests: list[bytes] = []
    clock = Clock()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await read_request(reader))
        writer.write(OK.replace(b"\n", b"\nSet-Cookie: a=b\r\n", 1))
        await writer.drain()

    async with Server(handler) as address:
        settings = settings_for(f"http://{address}")
        async with open_verifier(settings, None, clock) as verifier:
            for _ in range(2):
                await verifier.check()
                clock.now += 100_000  # what was fetched is out of date

    assert [b"cookie:" in request.lower() for request in requests] == [False, False]


async def test_end_of_the_service_closes_connections() -> None:
    """Also the one of a call that is still waiting for its response."""
    ends: list[bytes] = []
    closed = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        ends.append(await reader.read())
        closed.set()

    async with Server(handler) as address:
        async with open_verifier(settings_for(f"http://{address}"), None, Clock()) as verifier:
            call = asyncio.create_task(verifier.check())
            await asyncio.sleep(LIMIT)
        await asyncio.wait_for(closed.wait(), PATIENCE)
        await asyncio.gather(call, return_exceptions=True)

    assert ends == [b""]


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
