"""Calls over HTTP that are bounded in time, in size and in number.

Whatever goes wrong on the way, the caller of this module sees `NoAnswer` and nothing else.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

MAX_ANSWER_BYTES = 65_536
MAX_CALLS = 100
"""Calls in flight. A server that hangs must not hold every request of the service."""
MAX_WAIT = 0.25
"""Seconds a call waits for one of those places."""


class NoAnswer(Exception):
    """There is no answer in time, or none that can be read.

    `reason` is a fixed word for the log, `error` the name of the exception behind it, if any.
    """

    def __init__(self, reason: str, error: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer, read within the limits."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Endpoint:
    """An address that is called again and again, so it is prepared once."""

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


def network() -> AiohttpTransport:
    """Return the transport of production: httpx's interface on the connections of aiohttp."""
    trust = ssl.create_default_context()
    session = aiohttp.ClientSession(
        # As many connections as calls: a call waits for its place, never for a connection too.
        connector=aiohttp.TCPConnector(limit=MAX_CALLS, keepalive_timeout=30, ssl=trust),
        # Nothing that the server sets with one answer goes out with another question.
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )
    return AiohttpTransport(client=session, verify=trust)


class Wire:
    """Sends requests: `time_limit` seconds for a call, its retry and its wait.

    It drives the transport itself. An `httpx.AsyncClient` around it would follow redirects, keep
    cookies and read the proxy environment, none of which belongs here, and double the cost.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, time_limit: float) -> None:
        self._transport = transport
        self._time_limit = time_limit
        self._places = asyncio.Semaphore(MAX_CALLS)

    async def send(self, request: httpx.Request) -> Reply:
        """Send `request` and return the whole answer, whatever its status. Raises `NoAnswer`."""
        try:
            async with asyncio.timeout(self._time_limit):
                await self._take_place()
                try:
                    return await self._send_twice(request)
                finally:
                    self._places.release()
        except NoAnswer:
            raise
        except TimeoutError:
            raise NoAnswer("timeout") from None
        except Exception as error:  # noqa: BLE001
            tls = tls_error(error)
            if tls is not None:
                raise NoAnswer("tls", f"{type(tls).__name__} {tls.reason}") from None
            # Not every failure of the wire is an `httpx.HTTPError`: a garbage status line is an
            # `aiohttp.ClientResponseError`, a garbage reason phrase a `UnicodeError`.
            raise NoAnswer("connection", type(error).__name__) from None

    async def _take_place(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(MAX_WAIT):
                await self._places.acquire()
        except TimeoutError:
            raise NoAnswer("busy") from None

    async def _send_twice(self, request: httpx.Request) -> Reply:
        try:
            return await self._send_once(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if tls_error(error) is not None:
                raise
            # No byte of an answer has come: the server restarts, or closed an idle connection.
            return await self._send_once(request)

    async def _send_once(self, request: httpx.Request) -> Reply:
        response = await self._transport.handle_async_request(request)
        try:
            if "content-encoding" in response.headers:
                # 10 KB of gzip can hold 10 MB. The request accepts none, so none should come.
                raise NoAnswer("compressed_answer")
            body = await _read(response)
        finally:
            await response.aclose()
        return Reply(response.status_code, response.headers, body)


async def _read(response: httpx.Response) -> bytes:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    body = bytearray()
    async for chunk in response.stream:
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise NoAnswer("long_answer")
    return bytes(body)


def tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """Return the TLS failure behind `error`, which httpx reports as one of the connection."""
    while error is not None:
        # Those of aiohttp count as `ssl.SSLError` too, but have no reason.
        if isinstance(error, ssl.SSLError) and not isinstance(error, aiohttp.ClientError):
            return error
        error = error.__cause__ or error.__context__
    return None


def retry_after(value: str | None, now: float) -> int:
    """Return the seconds of a `Retry-After` header, 1 to 3600 (RFC 9110, section 10.2.3).

    The value is a number of seconds or a date; 5 where it is neither. `now` in seconds since 1970.
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
