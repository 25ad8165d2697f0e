"""Calls over HTTP that are bounded in time, in size and in number.

Whatever goes wrong, the caller sees an `AvnologyIdError` and nothing else.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import TypeVar

import aiohttp
import httpx
from avnology_id.errors import AvnologyIdError, NotFoundError, OAuthError, RateLimitError
from avnology_id.results import Result, parse_object
from httpx_aiohttp import AiohttpTransport

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
MAX_BODY_BYTES = 65_536
MAX_CALLS = 100  # in flight: a platform that hangs must not hold every request of the service
MAX_WAIT = 0.25  # seconds that a call waits for one of those places

# What may be shown: the platform's own codes, those of OAuth, and ids too short for a token
CODE = re.compile(r"AVNOLOGY_[A-Z_]{1,32}[0-9]{1,6}|[a-z]+(?:_[a-z]+){0,5}")
ID = re.compile(r"[A-Za-z0-9_.:-]{1,40}")

Kind = TypeVar("Kind", bound=Result)


class Http:
    """Calls the platform: `timeout` seconds for a call, its retry and its wait.

    `transport` replaces the network and `clock` (seconds since 1970) the time, for tests. There is
    no `httpx.AsyncClient` around the transport: without a network, a call took 94 µs with it
    instead of 26. It would also follow redirects, keep cookies and read the proxy environment.
    """

    def __init__(
        self, timeout: float, transport: httpx.AsyncBaseTransport | None, clock: Callable[[], float]
    ) -> None:
        self.timeout = timeout
        self.clock = clock
        self._transport = transport or network()
        self._places = asyncio.Semaphore(MAX_CALLS)

    async def send(self, request: httpx.Request, kind: type[Kind], credential: str = "") -> Kind:
        """Send `request` and return what the response says. Raises `AvnologyIdError`.

        `credential` is a token or an API key.
        """
        if credential:
            request.headers["Authorization"] = f"Bearer {credential}"
        sent_at = self.clock()
        response, body = await self._exchange(request)
        document: dict[str, object] = {}
        with suppress(ValueError):
            document = parse_object(body)
            if response.status_code == 200:
                return kind.model_validate({**document, "raw": body, "sent_at": sent_at})
        # Not from the exception of the parser: it quotes what it could not parse.
        raise refusal(response, document, self.clock())

    async def close(self) -> None:
        """Close the connections. May be called again."""
        await self._transport.aclose()

    async def _exchange(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        async with deadline(self.timeout, "timeout"):
            async with deadline(MAX_WAIT, "busy"):
                await self._places.acquire()
            try:
                async with aclosing(await self._open(request)) as response:
                    return response, await read_body(response)
            except AvnologyIdError:
                raise
            except Exception as error:  # noqa: BLE001
                # Not every failure is an `httpx.HTTPError`: a garbage status line is an
                # `aiohttp.ClientResponseError`, a garbage reason phrase a `UnicodeError`.
                raise failure(error) from None
            finally:
                self._places.release()

    async def _open(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._transport.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if tls_error(error) is not None:
                raise
            # No byte of a response has come: the server restarts, or closed an idle connection.
            return await self._transport.handle_async_request(request)


@asynccontextmanager
async def deadline(seconds: float, code: str) -> AsyncIterator[None]:
    """Raise `AvnologyIdError` with `code` when `seconds` are over."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise AvnologyIdError(code) from None


def network() -> AiohttpTransport:
    """Return the transport of production: httpx's interface on the connections of aiohttp."""
    trust = ssl.create_default_context()

    def open_session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            # As many connections as calls: a call waits for its place, never for a connection too.
            connector=aiohttp.TCPConnector(limit=MAX_CALLS, keepalive_timeout=30, ssl=trust),
            # Nothing that the platform sets in one response goes out with another request.
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    # The transport opens the session at the first call: it needs a running loop.
    return AiohttpTransport(client=open_session, verify=trust)


async def read_body(response: httpx.Response) -> bytes:
    """Return the body. Raises `AvnologyIdError` if it is compressed or too long."""
    if "content-encoding" in response.headers:
        # 10 KB of gzip can hold 10 MB. The request accepts none, so none should come.
        raise AvnologyIdError("compressed_answer")
    assert isinstance(response.stream, httpx.AsyncByteStream)
    body = bytearray()
    async for chunk in response.stream:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise AvnologyIdError("long_answer")
    return bytes(body)


def refusal(
    response: httpx.Response, document: Mapping[str, object], now: float
) -> AvnologyIdError:
    """Return the error that a response stands for. `now` in seconds since 1970.

    No page shows the body of one. Read are the documented fields and the `error` of OAuth.
    """
    status, oauth = response.status_code, document.get("error")
    code = shown(document.get("code"), CODE) or shown(oauth, CODE) or f"status_{status}"
    kind = AvnologyIdError
    if status == 200:
        code = "malformed_answer"
    elif status == 429:
        kind = RateLimitError
    elif isinstance(oauth, str) and 400 <= status < 500:
        kind = OAuthError
    elif status == 404:
        kind = NotFoundError
    request_id = response.headers.get("x-request-id", document.get("request_id"))
    return kind(
        code,
        status_code=status,
        request_id=shown(request_id, ID),
        retry_after=retry_after(response.headers.get("retry-after"), now),
    )


def shown(value: object, form: re.Pattern[str]) -> str | None:
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


def failure(error: Exception) -> AvnologyIdError:
    """Return the error that a failed call becomes. Its message names the cause."""
    tls = tls_error(error)
    if tls is None:
        return AvnologyIdError("connection", message=type(error).__name__)
    cause = f"{type(tls).__name__} {tls.reason} {getattr(tls, 'verify_message', '')}"
    return AvnologyIdError("tls", message=cause.rstrip())


def tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """Return the TLS failure behind `error`, which httpx reports as one of the connection."""
    while error is not None:
        # Those of aiohttp count as `ssl.SSLError` too, but have no reason.
        if isinstance(error, ssl.SSLError) and not isinstance(error, aiohttp.ClientError):
            return error
        error = error.__cause__ or error.__context__
    return None
