"""Asks Avnology ID about a token: introspection (RFC 7662) through its client."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx
from avnology_id import AsyncAvnologyId
from avnology_id.errors import AvnologyIdError, OAuthError, RateLimitError

from app.auth.claims import Claims, MalformedClaims, parse_claims, parse_object
from app.auth.errors import InvalidToken, ProviderUnavailable
from app.auth.principal import ORGANIZATION
from app.settings import Settings

logger = logging.getLogger("app.auth")

PROBE = "readiness-probe"
"""A token that no provider issues: asking about it proves that asking works."""


class ProviderVerifier:
    """Asks the provider about every token, so a revocation shows at the next request."""

    def __init__(self, client: AsyncAvnologyId) -> None:
        self.client = client

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return what the provider says about `token`.

        Raises `InvalidToken` for an inactive one, `ProviderUnavailable` without a usable answer.
        """
        check_prefix(token)
        try:
            answer = await self.client.oauth.introspect_token(token=token)
        except AvnologyIdError as error:
            raise unavailable(error) from None
        try:
            return claims_of(answer.raw)
        except MalformedClaims:
            raise ProviderUnavailable("malformed_answer") from None

    async def check(self) -> None:
        """Ask about a token that cannot exist: address, credentials and answer must be right."""
        try:
            await self.verify(PROBE)
        except InvalidToken:
            return
        raise ProviderUnavailable("active_probe")


@asynccontextmanager
async def open_verifier(
    settings: Settings,
    transport: httpx.AsyncBaseTransport | None,
    clock: Callable[[], float],
) -> AsyncIterator[ProviderVerifier]:
    """Open the verifier for the life of the service."""
    key = settings.avnology_api_key
    client = AsyncAvnologyId(
        base_url=settings.avnology_base_url,
        client_id=settings.avnology_client_id,
        client_secret=settings.avnology_client_secret.get_secret_value(),
        api_key=None if key is None else key.get_secret_value(),
        timeout=settings.idp_timeout,
        transport=transport,
        clock=clock,
    )
    try:
        yield ProviderVerifier(client)
    finally:
        await client.close()


def unavailable(error: AvnologyIdError) -> ProviderUnavailable:
    """Return the refusal that an error of the client becomes, and log what an operator looks for.

    The platform's own text stays out of both: it may hold a token or a name.
    """
    marks = {"code": error.code, "status": error.status_code, "request_id": error.request_id}
    if error.status_code is None and error.message:
        marks["cause"] = repr(error.message)
    cause = " ".join(f"{name}={mark}" for name, mark in marks.items() if mark is not None)
    if isinstance(error, OAuthError) or error.status_code in (401, 403):
        # Our own credentials: never the caller's fault, and only an operator can fix them.
        logger.error("identity provider refuses this service %s", cause)
        return ProviderUnavailable("own_credentials")
    logger.warning("identity provider failed %s", cause)
    if isinstance(error, RateLimitError):
        return ProviderUnavailable("rate_limit", error.retry_after)
    if error.status_code in (None, 200):
        return ProviderUnavailable(error.code)
    return ProviderUnavailable(f"status_{error.status_code}")


def claims_of(answer: bytes) -> Claims:
    """Return what an answer says about a token, read as strictly as if no client had read it.

    Raises `InvalidToken` or `MalformedClaims`.
    """
    document = parse_object(answer)
    check_active(document)
    check_organization(document)
    return parse_claims(document)


def check_prefix(token: str) -> None:
    """Refuse what is visibly a refresh token, before anyone is asked."""
    if token.startswith("rt_"):
        raise InvalidToken("prefix")


def check_active(document: Mapping[str, object]) -> None:
    """Refuse a token that the provider does not vouch for. Only a JSON `true` is a yes."""
    active = document.get("active")
    if active is False:
        raise InvalidToken("inactive")
    if active is not True:
        raise MalformedClaims("active")


def check_organization(document: Mapping[str, object]) -> None:
    """Refuse an answer whose organization is no text. A token need not be for any."""
    for name in ORGANIZATION:
        if not isinstance(document.get(name), str | None):
            raise MalformedClaims(name)
