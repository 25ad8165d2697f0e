"""Introspects tokens (RFC 7662) at the admin listener of Hydra, the server of Olympus."""

import base64
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote_plus

import httpx

from app.auth.claims import Claims, MalformedClaims, parse_claims, parse_object
from app.auth.errors import InvalidToken, ProviderUnavailable
from app.auth.provider import HEADERS, ProviderEndpoint, network
from app.settings import IntrospectionSettings, Settings


class ProviderVerifier:
    """Calls the provider for every token, so a revocation shows at the next request."""

    def __init__(self, introspection: ProviderEndpoint) -> None:
        self._introspection = introspection

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return the claims of `token` (RFC 7662, section 2.2).

        Raises `InvalidToken` for an inactive one, `ProviderUnavailable` without a usable response.
        """
        check_prefix(token)
        # No `scope` field: Hydra would answer "inactive" where a scope is missing, and hide a 403.
        # No `token_type_hint`: it never restricts the answer to access tokens.
        body = await self._introspection.call(b"token=" + quote_plus(token).encode())
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


@asynccontextmanager
async def open_verifier(
    settings: Settings, transport: httpx.AsyncBaseTransport | None, clock: Callable[[], float]
) -> AsyncIterator[ProviderVerifier]:
    """Open the verifier for the life of the service."""
    # Prepared once: to parse them took half of the time that a request needs to be built.
    url, headers = httpx.URL(settings.hydra_introspect_url), httpx.Headers(form_headers(settings))
    async with transport or network() as opened:
        endpoint = ProviderEndpoint(opened, "POST", url, headers, settings.idp_timeout, clock)
        yield ProviderVerifier(endpoint)


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
