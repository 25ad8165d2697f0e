"""Verifies Olympus's JWT access tokens with the issuer's keys, without a call for each token.

This module checks what tells an access token from the issuer's other signed tokens. The policy
checks the values of the claims afterwards.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx
from jose import backends
from jose.backends.cryptography_backend import CryptographyECKey, CryptographyRSAKey

from app.auth.claims import Claims, MalformedClaims, parse_claims, parse_object
from app.auth.errors import InvalidToken
from app.auth.jwt.jwks import HARD_LIMIT, KeySet
from app.auth.jwt.jws import parse_token
from app.auth.policy import ACCESS_TOKEN
from app.auth.provider import ProviderEndpoint, network
from app.settings import JwtSettings, Settings

_OF_OTHER_TOKENS = {"nonce", "at_hash", "c_hash", "s_hash", "events"}


class ProviderVerifier:
    """Accepts a token if the issuer signed it and it is an access token."""

    def __init__(self, settings: JwtSettings, keys: KeySet) -> None:
        self._algorithms = settings.jwt_algorithms
        self._keys = keys

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return what the issuer signed.

        Raises `InvalidToken`, or `ProviderUnavailable` while there are no keys to verify with.
        """
        signed = parse_token(token, self._algorithms)
        await self._keys.verify(signed)
        try:
            payload = parse_object(signed.payload)
            document = {name: value for name, value in payload.items() if value is not None}
            # What the issuer signs and names no use for is an access token, or refused below.
            claims = parse_claims({"token_use": ACCESS_TOKEN, **document})
        except MalformedClaims:
            raise InvalidToken("malformed_claims") from None
        check_required(claims)
        check_access_token(signed.header.type, document, claims)
        return claims

    async def check(self) -> None:
        """Raise `ProviderUnavailable` unless there are keys that still count."""
        await self._keys.keep_fresh(patience=HARD_LIMIT)


@asynccontextmanager
async def open_verifier(
    settings: Settings,
    transport: httpx.AsyncBaseTransport | None,
    clock: Callable[[], float],
) -> AsyncIterator[ProviderVerifier]:
    """Open the verifier for the life of the service, and start to fetch the keys.

    Raises `RuntimeError` if python-jose would use its own arithmetic, which is slow and leaks time.
    """
    if (backends.RSAKey, backends.ECKey) != (CryptographyRSAKey, CryptographyECKey):
        raise RuntimeError("python-jose lacks its backend: install python-jose[cryptography]")
    async with transport or network() as opened:
        endpoint = ProviderEndpoint(
            opened, "GET", settings.jwks_url, {}, settings.idp_timeout, clock
        )
        keys = KeySet(endpoint.call, settings.jwt_algorithms, clock)
        keys.start()
        yield ProviderVerifier(settings, keys)
        keys.close()


def check_required(claims: Claims) -> None:
    """Refuse a token that leaves out what it is judged by (RFC 9068, section 2.2)."""
    if claims.issuer is None or claims.expires_at is None or claims.issued_at is None:
        raise InvalidToken("missing_claim")
    if claims.subject is None or not (claims.client_id or "").strip():
        raise InvalidToken("missing_claim")


def check_access_token(kind: str, document: Mapping[str, object], claims: Claims) -> None:
    """Refuse the issuer's other signed tokens: ID, logout and security-event tokens.

    They share its keys, and in Hydra even the header `typ: JWT`. An access token of Hydra names its
    scopes; an ID token names the client as its audience and carries hashes or a nonce.
    """
    if not _OF_OTHER_TOKENS.isdisjoint(document):
        raise InvalidToken("other_kind")
    if kind == "at+jwt":
        return
    if not ("scp" in document or "scope" in document) or claims.audience == {claims.client_id}:
        raise InvalidToken("other_kind")
