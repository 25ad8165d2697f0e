"""Introspects tokens (RFC 7662) at the admin listener of Hydra, the server of Olympus."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from urllib.parse import quote_plus

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from app.auth.claims import Claims, MalformedClaims, parse_claims, parse_object
from app.auth.errors import InvalidToken, ProviderUnavailable
from app.auth.provider import HEADERS, bounded, send
from app.settings import IntrospectionSettings, Settings

MAX_CALLS = 100  # in flight: a provider that hangs must not hold every request of the service
MAX_WAIT = 0.25  # seconds that a call waits for one of those places


@dataclass(frozen=True)
class ProviderVerifier:
    """Calls the provider for every token, so a revocation shows at the next request."""

    transport: httpx.AsyncBaseTransport
    url: httpx.URL
    headers: httpx.Headers
    time_limit: float  # seconds, for a call with its wait and its retry
    clock: Callable[[], float]
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CALLS))

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return the claims of `token` (RFC 7662, section 2.2).

        Raises `InvalidToken` for an inactive one, `ProviderUnavailable` without a usable response.
        """
        check_prefix(token)
        # No `scope` field: Hydra would answer "inactive" where a scope is missing, and hide a 403.
        # No `token_type_hint`: it never restricts the answer to access tokens.
        form = b"token=" + quote_plus(token).encode()
        body = await bounded(self._send(request_of(self.url, self.headers, form)), self.time_limit)
        try:
            document = parse_object(body)
            check_active(document)
            return parse_claims(document)
        except MalformedClaims:
            raise ProviderUnavailable("malformed_answer") from None

    async def check(self) -> None:
        """Introspect a token that cannot exist: URL, credentials and response must be right."""
        try:
            await self.verify("readiness-probe")
        except InvalidToken:
            return
        raise ProviderUnavailable("active_probe")

    async def _send(self, request: httpx.Request) -> bytes:
        try:
            # Where a place is free, `acquire` does not wait. A timeout took 4 % of a request.
            async with asyncio.timeout(MAX_WAIT) if self.places.locked() else nullcontext():
                await self.places.acquire()
        except TimeoutError:
            raise ProviderUnavailable("busy") from None
        try:
            return await send(self.transport, request, self.clock)
        finally:
            self.places.release()


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


@asynccontextmanager
async def open_verifier(
    settings: Settings, transport: httpx.AsyncBaseTransport | None, clock: Callable[[], float]
) -> AsyncIterator[ProviderVerifier]:
    """Open the verifier for the life of the service."""
    # Prepared once: to parse them took half of the time that a request needs to be built.
    url, headers = httpx.URL(settings.hydra_introspect_url), httpx.Headers(form_headers(settings))
    async with transport or network() as opened:
        yield ProviderVerifier(opened, url, headers, settings.idp_timeout, clock)


def request_of(url: httpx.URL, headers: httpx.Headers, form: bytes) -> httpx.Request:
    """Return a request that sends `form`.

    With `content=` httpx would build the headers once more: 8 % of the time of a request.
    """
    request = httpx.Request("POST", url, headers=headers, stream=httpx.ByteStream(form))
    request.read()
    return request


def form_headers(settings: IntrospectionSettings) -> dict[str, str]:
    """Return the headers of a call, with the credentials of this service if it has any.

    They are sent as HTTP Basic, form-encoded (RFC 6749, section 2.3.1).
    """
    headers = {**HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
    user, password = settings.hydra_admin_user, settings.hydra_admin_pass
    if user is not None and password is not None:
        pair = f"{quote_plus(user)}:{quote_plus(password.get_secret_value())}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return headers


def check_prefix(token: str) -> None:
    """Refuse what is visibly a refresh token or a code of Hydra, without a call."""
    if token.startswith(("ory_rt_", "ory_ac_")):
        raise InvalidToken("prefix")


def check_active(document: Mapping[str, object]) -> None:
    """Refuse a token that is not active. Only a JSON `true` means that it is."""
    active = document.get("active")
    if active is False:
        raise InvalidToken("inactive")
    if active is not True:
        raise MalformedClaims("active")
