"""The client against servers that behave badly on a real socket."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from avnology_id import AsyncAvnologyId, TokenIntrospection, errors
from avnology_id.wire import MAX_CALLS

pytestmark = pytest.mark.anyio

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMIT = 0.3
PATIENCE = 10.0
"""Seconds that a call may take where its limit is not what matters."""
DOCUMENT = b'{"active":false}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" + DOCUMENT


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    """Serve connections with `handler` on loopback and give the address."""
    open_writers = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.add(writer)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        listener.close()
        for writer in open_writers:
            writer.close()
        await asyncio.sleep(0)


def says(response: bytes) -> Handler:
    """Answer a request with these bytes and close."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"client_secret=cs_1")
        writer.write(response)
        await writer.drain()

    return handler


def connect(
    url: str, limit: float = PATIENCE, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncAvnologyId:
    return AsyncAvnologyId(
        base_url=url,
        client_id="app_1",
        client_secret="cs_1",
        timeout=limit,
        transport=transport,
    )


async def ask(url: str, limit: float = PATIENCE) -> TokenIntrospection:
    async with connect(url, limit) as client:
        return await client.oauth.introspect_token(token="x")


async def code(url: str, limit: float = PATIENCE) -> str:
    """Return the code of the error that a call ends with."""
    with pytest.raises((errors.NetworkError, errors.TimeoutError)) as refusal:
        await ask(url, limit)
    assert refusal.value.__suppress_context__
    return refusal.value.code


async def test_an_answer_is_read_whole() -> None:
    async with server(says(OK)) as url:
        assert (await ask(url)).raw == DOCUMENT


async def test_a_black_hole_costs_the_time_limit_and_no_more() -> None:
    """What would come out of it later is not waited for."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(LIMIT * 1.5)
        await says(OK)(reader, writer)

    async with server(late) as url:
        begin = time.monotonic()

        assert await code(url, LIMIT) == "timeout"
        assert time.monotonic() - begin > LIMIT * 0.9


async def test_the_time_limit_includes_the_retry() -> None:
    """Neither connection takes longer than the limit, the two together do."""
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await asyncio.sleep(LIMIT * 0.6)
        if connections > 1:
            await says(OK)(reader, writer)

    async with server(handler) as url:
        assert await code(url, LIMIT) == "timeout"


async def test_a_trickle_costs_the_time_limit_and_no_more() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
        for _ in range(40):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with server(handler) as url:
        assert await code(url, LIMIT) == "timeout"


async def test_a_failed_handshake_is_named_and_not_retried() -> None:
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(b"no TLS here")

    async with server(handler) as url:
        with pytest.raises(errors.NetworkError) as refusal:
            await ask(url.replace("http:", "https:"))

    assert refusal.value.code == "tls"
    assert "SSLError" in str(refusal.value.details["error"])
    assert connections == 1


@pytest.mark.parametrize(("good_from", "connections"), [(2, 2), (9, 2)])
async def test_a_closed_connection_is_tried_once_more_and_not_twice(
    good_from: int, connections: int
) -> None:
    seen = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        if seen >= good_from:
            await says(OK)(reader, writer)

    async with server(handler) as url:
        if good_from == 2:
            assert (await ask(url)).active is False
        else:
            assert await code(url) == "connection"
    assert seen == connections


async def test_nobody_listens() -> None:
    async with server(says(OK)) as url:
        pass
    assert await code(url) == "connection"


@pytest.mark.parametrize("status", [400, 401, 429, 500, 502, 503, 504])
async def test_an_error_status_is_not_tried_again(status: int) -> None:
    """The vendor's client would wait for seconds and ask up to three times more."""
    requests = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        await says(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)(reader, writer)

    async with server(handler) as url:
        with pytest.raises(errors.AvnologyIdError) as refusal:
            await ask(url)
    assert refusal.value.status_code == status
    assert requests == 1


async def test_a_redirect_is_not_followed() -> None:
    """A token must not travel where an answer points to."""
    asked = False

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked = True

    async with server(elsewhere) as other:
        head = b"HTTP/1.1 307 X\r\nLocation: " + other.encode()
        async with server(says(head + b"\r\nContent-Length: 0\r\n\r\n")) as url:
            with pytest.raises(errors.ApiError, match="status_307"):
                await ask(url)
    assert not asked


GARBAGE = {
    "status-line": b"SMTP ready\r\n\r\n",
    "reason-is-not-utf-8": b"HTTP/1.1 200 \xff\xfe\r\nContent-Length: 16\r\n\r\n" + DOCUMENT,
    "length-is-no-number": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n" + DOCUMENT,
    "ends-early": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + DOCUMENT,
    "chunk-is-no-number": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "header-of-a-megabyte": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("response", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_is_no_answer(response: bytes) -> None:
    async with server(says(response)) as url:
        assert await code(url) == "connection"


async def test_a_long_answer_is_cut() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n"
    async with server(says(head + b" " * 10_000_000)) as url:
        assert await code(url) == "long_answer"


async def test_the_longest_answer_is_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n"
    async with server(says(head + DOCUMENT.ljust(65_536))) as url:
        assert (await ask(url)).active is False


async def test_a_compressed_answer_is_refused() -> None:
    """Ten kilobytes of it can hold ten megabytes."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"
    async with server(says(head)) as url:
        assert await code(url) == "compressed_answer"


async def test_cookies_are_not_kept_and_the_proxy_environment_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What belongs to one caller's question does not go out with another's, or elsewhere."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    requests: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"client_secret=cs_1"))
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n"))
        await writer.drain()

    async with server(handler) as url, connect(url) as client:
        await client.oauth.introspect_token(token="x")
        await client.oauth.introspect_token(token="x")

    assert len(requests) == 2
    assert not [request for request in requests if b"cookie:" in request.lower()]


class Gate(httpx.AsyncBaseTransport):
    """Answers when the gate is open."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self.open.wait()
        return httpx.Response(200, content=DOCUMENT)


async def test_calls_in_flight_are_bounded() -> None:
    """A call without a place waits a moment, then fails."""
    gate = Gate()
    client = connect("http://id.example", 1, gate)
    calls = [
        asyncio.create_task(client.oauth.introspect_token(token="x")) for _ in range(MAX_CALLS)
    ]
    await asyncio.sleep(0)

    with pytest.raises(errors.NetworkError) as refusal:
        await client.oauth.introspect_token(token="x")
    gate.open.set()
    assert refusal.value.code == "busy"
    assert {call.active for call in await asyncio.gather(*calls)} == {False}


async def test_the_place_of_a_cancelled_call_can_be_taken() -> None:
    gate = Gate()
    client = connect("http://id.example", 1, gate)
    calls = [
        asyncio.create_task(client.oauth.introspect_token(token="x")) for _ in range(MAX_CALLS)
    ]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    gate.open.set()

    assert (await client.oauth.introspect_token(token="x")).active is False
