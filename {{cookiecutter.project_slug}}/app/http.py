"""The one client that talks to the identity provider.

A call is bounded in time, in size and in number. Whatever goes wrong on the way, the caller of this
module sees `ProviderUnavailable` and nothing else.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp
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


class Endpoint:
    """An address at the provider that is called again and again, so it is prepared once."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str]) -> None:
        self._method = method
        self._url = httpx.URL(url)
        # `Host` here: httpx would add it by building all headers a second time.
        self._headers = httpx.Headers(
            {
                "Host": self._url.netloc.decode("ascii"),
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                **headers,
            }
        )

    def request(self, body: bytes | None = None) -> httpx.Request:
        """Return one call with `body` to send."""
        # As a stream: of `content`, httpx would work out headers that the connection adds anyway.
        stream = httpx.ByteStream(body or b"")
        request = httpx.Request(self._method, self._url, headers=self._headers, stream=stream)
        request.read()
        return request


@asynccontextmanager
async def open_client(
    time_limit: float, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator["ProviderClient"]:
    """Open the client for the life of the service. `time_limit` in seconds, for one call in all.

    `transport` replaces the network in tests.
    """
    async with transport or _network() as wire:
        yield ProviderClient(wire, time_limit)


def _network() -> AiohttpTransport:
    """Return the transport of production: httpx's interface on the connections of aiohttp."""
    trust = ssl.create_default_context()
    session = aiohttp.ClientSession(
        # As many connections as calls: a call waits for its place, never for a connection too.
        connector=aiohttp.TCPConnector(limit=MAX_CALLS, keepalive_timeout=30, ssl=trust),
        # Nothing that the provider sets with one answer goes out with another question.
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )
    return AiohttpTransport(client=session, verify=trust)


class ProviderClient:
    """Calls the identity provider: `time_limit` seconds for a call, its retry and its wait.

    It drives the transport itself. An `httpx.AsyncClient` around it would follow redirects, keep
    cookies and read the proxy environment, none of which belongs here, and double the cost.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, time_limit: float) -> None:
        self._transport = transport
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
            async with asyncio.timeout(MAX_WAIT):
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
        response = await self._transport.handle_async_request(request)
        try:
            if "content-encoding" in response.headers:
                # 10 KB of gzip can hold 10 MB. We ask for none, so nobody should send it.
                raise ProviderUnavailable("compressed_answer")
            body = await _read(response)
        finally:
            await response.aclose()
        return Answer(response.status_code, body, response.headers.get("retry-after"))


async def _read(response: httpx.Response) -> bytes:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    body = bytearray()
    async for chunk in response.stream:
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise ProviderUnavailable("long_answer")
    return bytes(body)


def check_status(answer: Answer, now: Callable[[], float]) -> None:
    """Raise `ProviderUnavailable` unless the answer is a 200. `now` in seconds since 1970."""
    if answer.status == 200:
        return
    if answer.status in (401, 403):
        # Our own credentials: never the caller's fault, and nothing mends it but a person.
        logger.error("identity provider refuses this service status=%d", answer.status)
        raise ProviderUnavailable("own_credentials", lacks="credentials that it accepts")
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
        except (ValueError, OverflowError):  # no date, or one that no clock shows
            return 5
    return max(1, min(3600, int(seconds)))
