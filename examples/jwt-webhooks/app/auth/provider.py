"""Calls to the identity provider: bounded in time and in size.

Whatever goes wrong, the caller sees `ProviderUnavailable` with a fixed word as its reason.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from email.utils import parsedate_to_datetime

import httpx

from app.auth.errors import ProviderUnavailable
from app.metrics import ProviderCall

logger = logging.getLogger("app.auth")

MAX_BODY_BYTES = 65_536
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


async def bounded(call: Awaitable[bytes], time_limit: float) -> bytes:
    """Return what `call` returns within `time_limit` seconds, and count it.

    Raises `ProviderUnavailable`, whatever `call` raises.
    """
    with ProviderCall():
        try:
            async with asyncio.timeout(time_limit):
                return await call
        except ProviderUnavailable:
            raise
        except TimeoutError:
            raise ProviderUnavailable("timeout") from None
        except Exception as error:  # noqa: BLE001 - not every failure is an `httpx.HTTPError`
            raise failure(error) from None


async def send(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, clock: Callable[[], float]
) -> bytes:
    """Send `request` and return the body of the 200.

    There is no `httpx.AsyncClient`: it would follow redirects, keep cookies and read the proxy
    environment, and a call through it took 94 µs instead of 26.
    """
    async with aclosing(await try_twice(transport, request)) as response:
        body = await read_body(response)
    check_status(response, clock())
    return body


async def try_twice(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
    """Send `request`, and once more if the connection failed and TLS is not the cause."""
    try:
        return await transport.handle_async_request(request)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        if tls_error(error) is not None:
            raise
        # No byte of a response has come, for example while the server restarts.
        return await transport.handle_async_request(request)


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


def check_status(response: httpx.Response, now: float) -> None:
    """Raise `ProviderUnavailable` unless the status is 200. `now` in seconds since 1970."""
    status = response.status_code
    if status in (401, 403):
        # Our own credentials: never the caller's fault, and only an operator can fix them.
        logger.error("identity provider refuses this service status=%d", status)
        raise ProviderUnavailable("own_credentials")
    if status == 429:
        wait = response.headers.get("retry-after", "")
        raise ProviderUnavailable("rate_limit", retry_after(wait, now))
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
        # An error of the client may count as `ssl.SSLError` too, but has no reason.
        if isinstance(error, ssl.SSLError) and hasattr(error, "reason"):
            return error
        error = error.__cause__ or error.__context__
    return None
