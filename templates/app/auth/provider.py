"""The HTTP client for the identity provider: bounded in time, in size and in number.

Whatever goes wrong, the caller sees `ProviderUnavailable` with a fixed word as its reason.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from app.auth.errors import ProviderUnavailable
from app.metrics import provider_call

logger = logging.getLogger("app.auth")

MAX_BODY_BYTES = 65_536
MAX_CALLS = 100
"""Calls in flight. A provider that hangs must not hold every request of the service."""
MAX_WAIT = 0.25
"""Seconds that a call waits for one of those places."""
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


def network() -> AiohttpTransport:
    """Return the transport of production: httpx's interface on the connections of aiohttp."""
    trust = ssl.create_default_context()
    session = aiohttp.ClientSession(
        # As many connections as calls: a call waits for its place, never for a connection too.
        connector=aiohttp.TCPConnector(limit=MAX_CALLS, keepalive_timeout=30, ssl=trust),
        # Nothing that the provider sets in one response goes out with another request.
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )
    return AiohttpTransport(client=session, verify=trust)


@dataclass(frozen=True)
class ProviderEndpoint:
    """One URL of the provider. A call, its retry and its wait take `time_limit` seconds at most.

    There is no `httpx.AsyncClient`: a call through it took 94 µs instead of 26. It would also
    follow redirects, keep cookies and read the proxy environment.
    """

    transport: httpx.AsyncBaseTransport
    method: str
    url: httpx.URL
    headers: httpx.Headers
    time_limit: float
    clock: Callable[[], float]
    """Seconds since 1970."""
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CALLS))

    async def call(self, body: bytes = b"") -> bytes:
        """Send `body` and return the body of the 200.

        Raises `ProviderUnavailable` for another status, and where no response can be read in time.
        """
        request = httpx.Request(self.method, self.url, headers=self.headers, content=body)
        with provider_call():
            try:
                async with asyncio.timeout(self.time_limit):
                    await self._take_place()
                    try:
                        return await self._send(request)
                    finally:
                        self.places.release()
            except ProviderUnavailable:
                raise
            except TimeoutError:
                raise ProviderUnavailable("timeout") from None
            except Exception as error:  # noqa: BLE001
                # Not every failure is an `httpx.HTTPError`: a garbage status line is an
                # `aiohttp.ClientResponseError`, a garbage reason phrase a `UnicodeError`.
                raise failure(error) from None

    async def _take_place(self) -> None:
        try:
            async with asyncio.timeout(MAX_WAIT):
                await self.places.acquire()
        except TimeoutError:
            raise ProviderUnavailable("busy") from None

    async def _send(self, request: httpx.Request) -> bytes:
        async with aclosing(await self._open(request)) as response:
            body = await read_body(response)
        check_status(response, self.clock)
        return body

    async def _open(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self.transport.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if tls_error(error) is not None:
                raise
            # No byte of a response has come: the server restarts, or closed an idle connection.
            return await self.transport.handle_async_request(request)


async def read_body(response: httpx.Response) -> bytes:
    """Return the body. Raises `ProviderUnavailable` if it is compressed or too long."""
    if "content-encoding" in response.headers:
        # 10 KB of gzip can hold 10 MB. The request accepts none, so none should come.
        raise ProviderUnavailable("compressed_answer")
    assert isinstance(response.stream, httpx.AsyncByteStream)
    body = bytearray()
    async for chunk in response.stream:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ProviderUnavailable("long_answer")
    return bytes(body)


def check_status(response: httpx.Response, clock: Callable[[], float]) -> None:
    """Raise `ProviderUnavailable` unless the status is 200."""
    status = response.status_code
    if status in (401, 403):
        # Our own credentials: never the caller's fault, and only an operator can fix them.
        logger.error("identity provider refuses this service status=%d", status)
        raise ProviderUnavailable("own_credentials")
    if status == 429:
        wait = response.headers.get("retry-after", "")
        raise ProviderUnavailable("rate_limit", retry_after(wait, clock()))
    if status != 200:
        raise ProviderUnavailable(f"status_{status}")


def retry_after(value: str, now: float) -> int:
    """Return the seconds of a `Retry-After` header, 1 to 3600 (RFC 9110, section 10.2.3).

    The value is a number of seconds or a date; 5 where it is neither. `now` in seconds since 1970.
    """
    try:
        is_number = value.isascii() and value.isdigit()
        seconds = float(value) if is_number else parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):  # no date, or one that no clock shows
        return 5
    return int(max(1, min(3600, seconds)))


def failure(error: Exception) -> ProviderUnavailable:
    """Log a failed call by the names of its causes. Return the refusal that it becomes."""
    tls = tls_error(error)
    name, reason = type(tls or error).__name__, getattr(tls, "reason", "-")
    cause = getattr(tls, "verify_message", "-")
    logger.warning("identity provider failed error=%s reason=%s cause=%r", name, reason, cause)
    return ProviderUnavailable("connection" if tls is None else "tls")


def tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """Return the TLS failure behind `error`, which httpx reports as one of the connection."""
    while error is not None:
        # Those of aiohttp count as `ssl.SSLError` too, but have no reason.
        if isinstance(error, ssl.SSLError) and not isinstance(error, aiohttp.ClientError):
            return error
        error = error.__cause__ or error.__context__
    return None
