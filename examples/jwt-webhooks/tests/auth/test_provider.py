"""The client of the identity provider: what it accepts, and how long and how often it tries."""

import asyncio
from collections.abc import Callable, Coroutine

import httpx
import pytest

from app.auth.errors import ProviderUnavailable
from app.auth.provider import MAX_BODY_BYTES, bounded, retry_after, send
from tests.callers import NOW, Clock

pytestmark = pytest.mark.anyio

Handler = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


async def call(handler: Handler, limit: float = 10) -> bytes:
    request = httpx.Request("GET", "http://provider")
    return await bounded(send(httpx.MockTransport(handler), request, Clock()), limit)


OK = httpx.Response(200, content=b"{}")
REFUSED = httpx.ConnectTimeout("refused")
WAIT = {"Retry-After": "7"}
GZIP = {"Content-Encoding": "gzip"}
LONGEST = b"a" * MAX_BODY_BYTES

OUTCOMES: dict[str, tuple[list[httpx.Response | Exception], str, int]] = {
    "response": ([OK], "{}", 1),
    "as long as allowed": ([httpx.Response(200, content=LONGEST)], LONGEST.decode(), 1),
    "too long": ([httpx.Response(200, content=LONGEST + b"a")], "long_answer", 1),
    "compressed": (
        [httpx.Response(200, headers=GZIP, stream=httpx.ByteStream(b"\x1f\x8b"))],
        "compressed_answer",
        1,
    ),
    "redirect": ([httpx.Response(307, headers={"Location": "http://other"})], "status_307", 1),
    "other success": ([httpx.Response(201, content=b"{}")], "status_201", 1),
    "server error": ([httpx.Response(503), OK], "status_503", 1),
    "own credentials": ([httpx.Response(401), OK], "own_credentials", 1),
    "rate limit": ([httpx.Response(429, headers=WAIT), OK], "rate_limit", 1),
    "cut off": ([httpx.ReadError("cut off"), OK], "connection", 1),
    "unexpected error": ([UnicodeError("reason phrase"), OK], "connection", 1),
    "refused once": ([REFUSED, OK], "{}", 2),
    "refused twice": ([REFUSED, httpx.ConnectError("refused"), OK], "connection", 2),
}


@pytest.mark.parametrize(("results", "expected", "calls"), OUTCOMES.values(), ids=OUTCOMES)
async def test_outcome(
    results: list[httpx.Response | Exception], expected: str, calls: int
) -> None:
    """Only a refused connection is retried: a provider in trouble must not get more calls."""
    requests: list[httpx.Request] = []

    async def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        result = results[len(requests) - 1]
        if isinstance(result, Exception):
            raise result
        return result

    try:
        outcome = (await call(respond)).decode()
    except ProviderUnavailable as refusal:
        outcome = refusal.reason

    assert (outcome, len(requests)) == (expected, calls)


async def test_time_limit_covers_the_retry() -> None:
    calls = 0

    async def refuse_late(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.06)
        raise REFUSED

    with pytest.raises(ProviderUnavailable) as refusal:
        await call(refuse_late, limit=0.1)
    assert (refusal.value.reason, calls) == ("timeout", 2)


RETRY_AFTER = {
    "7": 7,
    "0": 1,
    "86400": 3600,
    "Fri, 15 Jan 2027 08:00:30 GMT": 30,
    "Fri, 15 Jan 2021 08:00:00 GMT": 1,
    "Fri, 15 Jan 99999999999999999999 08:00:30 GMT": 5,
    "soon": 5,
    "": 5,
}


@pytest.mark.parametrize(("value", "seconds"), RETRY_AFTER.items())
async def test_retry_after(value: str, seconds: int) -> None:
    assert retry_after(value, NOW) == seconds
