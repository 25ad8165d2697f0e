"""Calls over HTTP that are bounded in time, in size and in number.

Whatever goes wrong, the caller sees an `AvnologyIdError` and nothing else.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import aiohttp
import httpx
from avnology_id import errors
from avnology_id.results import Result, parse_object
from httpx_aiohttp import AiohttpTransport

MAX_BODY_BYTES = 65_536
MAX_CALLS = 100
"""Calls in flight. A platform that hangs must not hold every request of the service."""
MAX_WAIT = 0.25
"""Seconds that a call waits for one of those places."""

# What may be shown: the platform's own codes, those of OAuth, and ids too short for a token
_CODE = re.compile(r"AVNOLOGY_[A-Z_]{1,32}[0-9]{1,6}|[a-z]+(?:_[a-z]+){0,5}")
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,40}")

Kind = TypeVar("Kind", bound=Result)


class Endpoint:
    """An address that is called often, so its URL and headers are prepared once."""

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

    def request(self, body: bytes = b"") -> httpx.Request:
        """Return one request with `body` to send."""
        # As a stream: of `content`, httpx would work out headers that the connection adds anyway.
        stream = httpx.ByteStream(body)
        request = httpx.Request(self._method, self._url, headers=self._headers, stream=stream)
        request.read()
        return request


class Http:
    """Calls the platform: `timeout` seconds for a call, its retry and its wait.

    `transport` replaces the network and `clock` (seconds since 1970) the time, for tests. It drives
    the transport itself: without a network, a call through an `httpx.AsyncClient` took 94 µs
    instead of 26. It would also follow redirects, keep cookies and read the proxy environment.
    """

    def __init__(
        self, timeout: float, transport: httpx.AsyncBaseTransport | None, clock: Callable[[], float]
    ) -> None:
        self.clock = clock
        self._timeout = timeout
        self._transport = transport
        self._places = asyncio.Semaphore(MAX_CALLS)
        self._closed = False

    @asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Raise `TimeoutError` of this package when `timeout` seconds are over."""
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except TimeoutError:
            raise errors.TimeoutError("timeout") from None

    async def send(self, request: httpx.Request, kind: type[Kind]) -> Kind:
        """Send `request` and return what the response says. Raises `AvnologyIdError`."""
        received_at = self.clock()
        response, body = await self._exchange(request)
        request_id = _shown(response.headers.get("x-request-id"), _ID)
        if response.status_code != 200:
            raise refusal(response, body, request_id, self.clock())
        try:
            document = parse_object(body)
            return kind.model_validate({**document, "raw": body, "received_at": received_at})
        except (ValueError, RecursionError):
            # `from None`: the exception of a parser quotes what it could not parse
            code = "malformed_answer"
            raise errors.ApiError(code, status_code=200, request_id=request_id) from None

    async def close(self) -> None:
        """Close the connections. Nothing can be called any more; a second time does nothing."""
        closed, self._closed = self._closed, True
        if self._transport is not None and not closed:
            await self._transport.aclose()

    async def _exchange(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        try:
            async with self.deadline():
                await self._take_place()
                try:
                    return await self._send_twice(request)
                finally:
                    self._places.release()
        except errors.AvnologyIdError:
            raise
        except Exception as error:  # noqa: BLE001
            # Not every failure is an `httpx.HTTPError`: a garbage status line is an
            # `aiohttp.ClientResponseError`, a garbage reason phrase a `UnicodeError`.
            raise failure(error) from None

    async def _take_place(self) -> None:
        try:
            async with asyncio.timeout(MAX_WAIT):
                await self._places.acquire()
        except TimeoutError:
            raise errors.NetworkError("busy") from None

    async def _send_twice(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        try:
            return await self._send_once(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if tls_error(error) is not None:
                raise
            # No byte of a response has come: the server restarts, or closed an idle connection.
            return await self._send_once(request)

    async def _send_once(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        if self._closed:
            raise errors.NetworkError("closed")
        if self._transport is None:
            self._transport = network()  # not before the first call: it needs a running loop
        response = await self._transport.handle_async_request(request)
        try:
            return response, await read_body(response)
        finally:
            await response.aclose()


def network() -> AiohttpTransport:
    """Return the transport of production: httpx's interface on the connections of aiohttp."""
    trust = ssl.create_default_context()
    session = aiohttp.ClientSession(
        # As many connections as calls: a call waits for its place, never for a connection too.
        connector=aiohttp.TCPConnector(limit=MAX_CALLS, keepalive_timeout=30, ssl=trust),
        # Nothing that the platform sets in one response goes out with another request.
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )
    return AiohttpTransport(client=session, verify=trust)


async def read_body(response: httpx.Response) -> bytes:
    """Return the body. Raises `NetworkError` if it is compressed or too long."""
    if "content-encoding" in response.headers:
        # 10 KB of gzip can hold 10 MB. The request accepts none, so none should come.
        raise errors.NetworkError("compressed_answer")
    assert isinstance(response.stream, httpx.AsyncByteStream)
    body = bytearray()
    async for chunk in response.stream:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise errors.NetworkError("long_answer")
    return bytes(body)


def refusal(
    response: httpx.Response, body: bytes, request_id: str | None, now: float
) -> errors.AvnologyIdError:
    """Return the error that a response stands for. `now` in seconds since 1970.

    No page shows the body of one: read are the documented fields, flat or below `error`, and the
    `error` of OAuth.
    """
    try:
        document = parse_object(body)
    except (ValueError, RecursionError):
        document = {}
    status, oauth = response.status_code, document.get("error")
    fields: Mapping[str, Any] = oauth if isinstance(oauth, dict) else document
    kind: type[errors.AvnologyIdError] = errors.ApiError
    if status == 429:
        kind = errors.RateLimitError
    elif isinstance(oauth, str) and 400 <= status < 500:
        kind = errors.OAuthError
    elif status == 404:
        kind = errors.NotFoundError
    return kind(
        _shown(fields.get("code"), _CODE) or _shown(oauth, _CODE) or f"status_{status}",
        status_code=status,
        request_id=request_id or _shown(fields.get("request_id"), _ID),
        retry_after=retry_after(response.headers.get("retry-after"), now),
    )


def _shown(value: object, form: re.Pattern[str]) -> str | None:
    """Return `value` if it is one that a log line may hold: what repeats a token is not."""
    return value if isinstance(value, str) and form.fullmatch(value) else None


def retry_after(value: str | None, now: float) -> int:
    """Return the seconds of a `Retry-After` header, 1 to 3600 (RFC 9110, section 10.2.3).

    The value is a number of seconds or a date; 5 where it is neither. `now` in seconds since 1970.
    """
    if value is not None and value.isascii() and value.isdigit():
        return max(1, min(3600, int(value[:10])))
    try:
        seconds = parsedate_to_datetime(value or "").timestamp() - now
    except (ValueError, OverflowError):  # no date, or one that no clock shows
        return 5
    return max(1, min(3600, int(seconds)))


def failure(error: Exception) -> errors.NetworkError:
    """Return the error that a failed call becomes. Its message names the cause."""
    tls = tls_error(error)
    if tls is None:
        return errors.NetworkError("connection", message=type(error).__name__)
    cause = f"{type(tls).__name__} {tls.reason} {getattr(tls, 'verify_message', '')}"
    return errors.NetworkError("tls", message=cause.rstrip())


def tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """Return the TLS failure behind `error`, which httpx reports as one of the connection."""
    while error is not None:
        # Those of aiohttp count as `ssl.SSLError` too, but have no reason.
        if isinstance(error, ssl.SSLError) and not isinstance(error, aiohttp.ClientError):
            return error
        error = error.__cause__ or error.__context__
    return None
