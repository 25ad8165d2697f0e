"""The client of the identity provider, against servers that behave badly on a real socket."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from app.auth.errors import ProviderUnavailable
from app.http import MAX_CALLS, Answer, Endpoint, ProviderClient, check_status, open_client

pytestmark = pytest.mark.anyio

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMIT = 0.3
PATIENCE = 10.0
"""Seconds that a call may take where its limit is not what matters."""


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[Endpoint]:
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
        yield Endpoint("POST", f"http://127.0.0.1:{port}/answer", {})
    finally:
        listener.close()
        for writer in open_writers:
            writer.close()
        await asyncio.sleep(0)


def says(response: bytes) -> Handler:
    """Answer every request with the same bytes and close."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"token=x")
        writer.write(response)
        await writer.drain()

    return handler


async def ask(endpoint: Endpoint, time_limit: float = PATIENCE) -> Answer:
    async with open_client(time_limit) as client:
        return await client.send(endpoint.request(b"token=x"))


async def reason(endpoint: Endpoint, time_limit: float = PATIENCE) -> str:
    with pytest.raises(ProviderUnavailable) as refusal:
        await ask(endpoint, time_limit)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
    return refusal.value.reason


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def test_an_answer_is_read_whole() -> None:
    async with server(says(OK)) as endpoint:
        assert await ask(endpoint) == Answer(200, b"{}", None)


async def test_a_chunked_answer_is_read_whole() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    async with server(says(chunked)) as endpoint:
        assert (await ask(endpoint)).body == b"{}"


async def test_a_black_hole_costs_the_time_limit_and_no_more() -> None:
    """What would come out of it later is not waited for."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(LIMIT * 1.5)
        await says(OK)(reader, writer)

    async with server(late) as endpoint:
        begin = time.monotonic()

        assert await reason(endpoint, LIMIT) == "timeout"
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

    async with server(handler) as endpoint:
        assert await reason(endpoint, LIMIT) == "timeout"


async def test_a_trickle_costs_the_time_limit_and_no_more() -> None:
    """The limit is for the whole call: a byte now and then satisfies one that counts from each."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
        for _ in range(40):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with server(handler) as endpoint:
        assert await reason(endpoint, LIMIT) == "timeout"


async def test_a_closed_connection_is_tried_once_more() -> None:
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if connections > 1:
            await says(OK)(reader, writer)

    async with server(handler) as endpoint:
        assert (await ask(endpoint)).status == 200
        assert connections == 2


async def test_a_connection_that_always_closes_is_given_up() -> None:
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1

    async with server(handler) as endpoint:
        assert await reason(endpoint) == "connection"
        assert connections == 2


async def test_nobody_listens() -> None:
    async with server(says(OK)) as endpoint:
        pass
    assert await reason(endpoint) == "connection"


async def test_no_such_host() -> None:
    assert await reason(Endpoint("POST", "http://nowhere.invalid/", {})) in (
        "connection",
        "timeout",
    )


@pytest.mark.parametrize("status", [400, 429, 500, 503])
async def test_an_error_status_is_an_answer_and_not_tried_again(status: int) -> None:
    requests = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        await says(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)(reader, writer)

    async with server(handler) as endpoint:
        assert (await ask(endpoint)).status == status
        assert requests == 1


async def test_a_redirect_is_not_followed() -> None:
    """A token must not travel where an answer points to."""
    asked = False

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked = True

    async with server(elsewhere) as other:
        location = str(other.request(b"").url).encode()
        redirect = b"HTTP/1.1 307 X\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
        async with server(says(redirect)) as endpoint:
            assert (await ask(endpoint)).status == 307
    assert not asked


GARBAGE = {
    "status-line": b"SMTP ready\r\n\r\n",
    "status-is-no-number": b"HTTP/1.1 abc OK\r\n\r\n",
    "reason-is-not-utf-8": b"HTTP/1.1 200 \xff\xfe\r\nContent-Length: 2\r\n\r\n{}",
    "header-without-a-colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "length-is-no-number": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}",
    "ends-early": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
    "chunk-is-no-number": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "header-of-a-megabyte": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("response", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_is_no_answer(response: bytes) -> None:
    async with server(says(response)) as endpoint:
        assert await reason(endpoint) == "connection"


async def test_a_long_answer_is_cut() -> None:
    length = 10_000_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length
    async with server(says(head + b"a" * length)) as endpoint:
        assert await reason(endpoint) == "long_answer"


async def test_the_longest_answer_is_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n"
    async with server(says(head + b"a" * 65_536)) as endpoint:
        assert len((await ask(endpoint)).body) == 65_536


async def test_a_compressed_answer_is_refused() -> None:
    """Ten kilobytes of it can hold ten megabytes."""
    response = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"
    async with server(says(response)) as endpoint:
        assert await reason(endpoint) == "compressed_answer"


async def test_cookies_are_not_kept() -> None:
    """What the provider sets with one answer must not go out with another caller's question."""
    requests: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"token=x"))
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with server(handler) as endpoint, open_client(2) as client:
        await client.send(endpoint.request(b"token=x"))
        await client.send(endpoint.request(b"token=x"))

    assert len(requests) == 2
    assert not [request for request in requests if b"cookie:" in request.lower()]


async def test_the_proxy_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens go to the provider, not to whatever proxy a shell happens to name."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with server(says(OK)) as endpoint:
        assert (await ask(endpoint)).status == 200


async def test_calls_in_flight_are_bounded() -> None:
    """Whoever finds all places taken waits a moment, and is told to come back."""
    arrived = 0

    class Hanging(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal arrived
            arrived += 1
            await asyncio.Event().wait()
            raise AssertionError

    client = ProviderClient(Hanging(), time_limit=5)
    endpoint = Endpoint("POST", "http://localhost/", {})
    waiting = [asyncio.create_task(client.send(endpoint.request(b""))) for _ in range(MAX_CALLS)]
    await asyncio.sleep(0)
    with pytest.raises(ProviderUnavailable, match="busy"):
        await client.send(endpoint.request(b""))
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert arrived == MAX_CALLS


class Wire(httpx.AsyncBaseTransport):
    """Raises what it is given, one after the other, and answers when nothing is left."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return httpx.Response(200, content=b"{}")


@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ConnectTimeout])
async def test_a_failed_connection_is_tried_once_more(kind: type[httpx.TransportError]) -> None:
    """Which of the two a refused connection is differs from transport to transport."""
    wire = Wire(kind("refused"))
    answer = await ProviderClient(wire, 1).send(httpx.Request("POST", "http://localhost/"))

    assert answer.status == 200
    assert wire.calls == 2


@pytest.mark.parametrize("kind", [httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError])
async def test_a_question_that_arrived_is_not_asked_again(
    kind: type[httpx.TransportError],
) -> None:
    """A provider in trouble must not get every question twice."""
    wire = Wire(kind("cut off"))
    with pytest.raises(ProviderUnavailable, match="connection"):
        await ProviderClient(wire, 1).send(httpx.Request("POST", "http://localhost/"))

    assert wire.calls == 1


async def test_a_call_that_finds_no_place_waits_a_moment_and_no_more() -> None:
    """It does not use up the whole time limit: the caller may try another replica."""
    gate = asyncio.Event()
    client = ProviderClient(Gate(gate), time_limit=5)
    request = httpx.Request("POST", "http://localhost/")
    waiting = [asyncio.create_task(client.send(request)) for _ in range(MAX_CALLS)]
    await asyncio.sleep(0)

    with pytest.raises(ProviderUnavailable, match="busy"):
        await client.send(request)
    gate.set()
    assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}


async def test_the_place_of_a_cancelled_call_can_be_taken() -> None:
    """Callers that go away must not use the places up, one by one, until nobody can ask."""
    gate = asyncio.Event()
    client = ProviderClient(Gate(gate), time_limit=5)
    request = httpx.Request("POST", "http://localhost/")
    calls = [asyncio.create_task(client.send(request)) for _ in range(MAX_CALLS)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    gate.set()

    assert (await client.send(request)).status == 200


class Gate(httpx.AsyncBaseTransport):
    """Answers when the gate is open."""

    def __init__(self, gate: asyncio.Event) -> None:
        self.gate = gate

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self.gate.wait()
        return httpx.Response(200, content=b"{}")


STATUSES = {
    201: "status_201",
    204: "status_204",
    302: "status_302",
    401: "own_credentials",
    403: "own_credentials",
    404: "status_404",
    429: "rate_limit",
    500: "status_500",
}


@pytest.mark.parametrize(("status", "why"), STATUSES.items())
async def test_every_status_but_200_is_an_outage_with_a_reason(status: int, why: str) -> None:
    with pytest.raises(ProviderUnavailable) as refusal:
        check_status(Answer(status, b"{}", None), time.time)

    assert refusal.value.reason == why
