"""The one client that talks to the identity provider.

A call is bounded in time, in size and in number. Whatever goes wrong on the way, the caller of this
module sees `ProviderUnavailable` and nothing else.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx
from httpx_aiohttp import AiohttpTransport

from app.auth.errors import ProviderUnavailable

logger = logging.getLogger("app.http")

MAX_ANSWER_BYTES = 65_536
MAX_CALLS = 100
"""Calls in flight. A provider that hangs must not hold every request of the service."""
MAX_WAIT = 0.25
"""Seconds a request waits for one of those places."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer of the provider, read within the limits."""

    status: int
    body: bytes
    retry_after: str | None


@asynccontextmanager
async def open_client(
    time_limit: float, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator["ProviderClient"]:
    """Open the client for the life of the service. `time_limit` in seconds, for one call in all.

    `transport` replaces the network in tests.
    """
    if transport is None:
        # One connection a call at most: a call never waits for a connection, only for its place.
        limits = httpx.Limits(max_connections=MAX_CALLS, keepalive_expiry=30)
        transport = AiohttpTransport(limits=limits, trust_env=False)
    # No timeout here: httpx's are for each part of a call, ours stands around all of it.
    async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=None) as client:  # noqa: S113
        yield ProviderClient(client, time_limit)


class ProviderClient:
    """Calls the identity provider: `time_limit` seconds for a call, its retry and its wait."""

    def __init__(self, client: httpx.AsyncClient, time_limit: float) -> None:
        self._client = client
        self._time_limit = time_limit
        self._places = asyncio.Semaphore(MAX_CALLS)

    async def send(self, request: httpx.Request) -> Answer:
        """Send `request` and return the whole answer, whatever its status.

        Raises `ProviderUnavailable` when there is none in time, or none that can be read.
        """
        try:
            async with asyncio.timeout(self._time_limit):
                await self._take_place()
                try:
                    return await self._send_twice(request)
                finally:
                    self._places.release()
        except ProviderUnavailable:
            raise
        except TimeoutError:
            raise ProviderUnavailable("timeout") from None
        except Exception as error:  # noqa: BLE001
            # Not every failure of the wire is an `httpx.HTTPError`: a garbage status line is an
            # `aiohttp.ClientResponseError`, a garbage reason phrase a `UnicodeError`.
            logger.warning("identity provider failed error=%s", type(error).__name__)
            raise ProviderUnavailable("connection") from None

    async def _take_place(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(min(MAX_WAIT, self._time_limit)):
                await self._places.acquire()
        except TimeoutError:
            raise ProviderUnavailable("busy") from None

    async def _send_twice(self, request: httpx.Request) -> Answer:
        try:
            return await self._send_once(request)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            # No byte of an answer has come: the provider restarts, or closed an idle connection.
            return await self._send_once(request)

    async def _send_once(self, request: httpx.Request) -> Answer:
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            if "content-encoding" in response.headers:
                # 10 KB of gzip can hold 10 MB. We ask for none, so nobody should send it.
                raise ProviderUnavailable("compressed_answer")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise ProviderUnavailable("long_answer")
        finally:
            await response.aclose()
        return Answer(response.status_code, bytes(body), response.headers.get("retry-after"))


def check_status(answer: Answer, now: Callable[[], float]) -> None:
    """Raise `ProviderUnavailable` unless the answer is a 200. `now` in seconds since 1970."""
    if answer.status == 200:
        return
    if answer.status in (401, 403):
        # Our own credentials: never the caller's fault, and nothing mends it but a person.
        logger.error("identity provider refuses this service status=%d", answer.status)
        raise ProviderUnavailable("own_credentials")
    if answer.status == 429:
        raise ProviderUnavailable("rate_limit", retry_after(answer.retry_after, now()))
    raise ProviderUnavailable(f"status_{answer.status}")


def retry_after(value: str | None, now: float) -> int:
    """Return the seconds of a `Retry-After` header, 1 to 3600 (RFC 9110, section 10.2.3).

    The value is a number of seconds or a date; 5 where it is neither.
    """
    if value is None:
        return 5
    if value.isascii() and value.isdigit():
        seconds = float(value[:10])
    else:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except ValueError:
            return 5
    return max(1, min(3600, int(seconds)))


def form_request(url: str, body: bytes, headers: Mapping[str, str]) -> httpx.Request:
    """Build the POST of a form. Asks for an answer that is JSON and not compressed."""
    return httpx.Request(
        "POST",
        url,
        content=body,
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/x-www-form-urlencoded",
            **headers,
        },
    )
