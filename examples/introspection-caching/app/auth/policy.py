"""Which tokens this service accepts. Each rule is one function, and all run at each request.

They compare claims with settings and the clock. No decision is stored.
"""

import logging
from collections.abc import Set

from app.auth.claims import Claims
from app.auth.errors import InvalidToken
from app.auth.principal import Principal
from app.settings import Settings

logger = logging.getLogger("app.auth.policy")

ACCESS_TOKEN = "access_token"  # noqa: S105 - the name of a kind, not a secret


def admit(claims: Claims, settings: Settings, now: float) -> Principal:
    """Return who is calling, or raise `InvalidToken`. `now` in seconds since 1970.

    An audience, a client list or an issuer that is not set does not restrict.
    """
    check_token_kind(claims)
    check_not_bound(claims)
    check_expiry(claims, now - settings.clock_leeway)
    check_not_before(claims, now + settings.clock_leeway)
    check_issued_at(claims, now + settings.clock_leeway)
    check_issuer(claims, settings.issuer)
    check_audience(claims, settings.audience)
    check_client(claims, settings.allowed_client_ids)
    return Principal.of(claims, subject_of(claims))


def check_token_kind(claims: Claims) -> None:
    """Refuse an active token that is not a bearer access token.

    A refresh token has another `token_use`. A token that is bound to a key has the `token_type`
    DPoP. One of the two claims must be there, and each that is there must be right.
    """
    if claims.token_use not in (ACCESS_TOKEN, None):
        raise InvalidToken("token_use")
    if claims.token_type is not None and claims.token_type.lower() != "bearer":
        raise InvalidToken("token_type")
    if claims.token_use is None and claims.token_type is None:
        raise InvalidToken("token_type")


def check_not_bound(claims: Claims) -> None:
    """Refuse a token that is bound to a key, as no rule checks the binding (RFC 9449, 7.1)."""
    if claims.confirmation is not None:
        raise InvalidToken("bound")


def check_expiry(claims: Claims, now: float) -> None:
    """Refuse a token on or after its expiry (RFC 7519, 4.1.4). `now` in seconds since 1970."""
    # `<=`, not `<`: the token has expired on the second itself
    if claims.expires_at is not None and claims.expires_at <= now:
        raise InvalidToken("expired")


def check_not_before(claims: Claims, now: float) -> None:
    """Refuse a token before its time (RFC 7519, 4.1.5). `now` in seconds since 1970."""
    if claims.not_before is not None and claims.not_before > now:
        raise InvalidToken("not_before")


def check_issued_at(claims: Claims, now: float) -> None:
    """Refuse a token from the future: one of the clocks is wrong. `now` in seconds since 1970."""
    if claims.issued_at is not None and claims.issued_at > now:
        raise InvalidToken("issued_at")


def check_issuer(claims: Claims, issuer: str | None) -> None:
    """Refuse a token of another issuer, compared as text (RFC 8414, section 2).

    A response that names no issuer comes from the provider that was called.
    """
    if issuer is not None and claims.issuer is not None and claims.issuer != issuer:
        raise InvalidToken("issuer")


def check_audience(claims: Claims, audience: Set[str]) -> None:
    """Refuse a token that is for another service (RFC 7519, 4.1.3)."""
    if audience and audience.isdisjoint(claims.audience):
        logger.debug("token refused reason=audience audiences=%.1000r", sorted(claims.audience))
        raise InvalidToken("audience")


def check_client(claims: Claims, client_ids: Set[str]) -> None:
    """Refuse a token that was issued to a client which is not on the list."""
    if client_ids and claims.client_id not in client_ids:
        raise InvalidToken("client")


def subject_of(claims: Claims) -> str:
    """Return the subject of a token, or its client if it has none. Refuse a blank one."""
    subject = claims.owner
    if subject is None or not subject.strip():
        raise InvalidToken("subject")
    return subject
