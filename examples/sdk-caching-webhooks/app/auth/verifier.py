"""Introspects tokens (RFC 7662) with the client of Avnology ID."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
from avnology_id import AsyncAvnologyId
from avnology_id.errors import AvnologyIdError, OAuthError, RateLimitError

from app.auth.claims import Claims, MalformedClaims, parse_claims, parse_object
from app.auth.errors import InvalidToken, ProviderUnavailable
from app.metrics import ProviderCall
from app.settings import Settings

logger = logging.getLogger("app.auth")


class ProviderVerifier:
    """Calls the provider for every token, so a revocation shows at the next request."""

    def __init__(self, client: AsyncAvnologyId) -> None:
        self.client = client

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return the claims of `token` (RFC 7662, section 2.2).

        Raises `InvalidToken` for an inactive one, `ProviderUnavailable` without a usable response.
        """
        check_prefix(token)
        with ProviderCall():
            try:
                result = await self.client.oauth.introspect_token(token=token)
            except AvnologyIdError as error:
                raise unavailable(error) from None
        check_active(result.active)
        try:
            return parse_claims(parse_object(result.raw))
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
    key = settings.avnology_api_key
    client = AsyncAvnologyId(
        base_url=settings.avnology_base_url,
        client_id=settings.avnology_client_id,
        client_secret=settings.avnology_client_secret.get_secret_value(),
        api_key=key.get_secret_value() if key else None,
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
    reason = error.code if error.status_code in (None, 200) else f"status_{error.status_code}"
    return ProviderUnavailable(reason)


def check_prefix(token: str) -> None:
    """Refuse what is visibly a refresh token, without a call."""
    if token.startswith("rt_"):
        raise InvalidToken("prefix")


def check_active(active: bool) -> None:
    """Refuse a token that the provider does not vouch for. Only `True` means that it is active."""
    if active is not True:
        raise InvalidToken("inactive")
