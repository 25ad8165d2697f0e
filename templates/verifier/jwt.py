"""Verifies Olympus's JWT access tokens with the issuer's keys, without asking about each token.

What python-jose does not check, and what tells an access token from the other tokens of the same
issuer and the same keys, is checked here. The policy judges the claims afterwards.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx
from jose import backends
from jose.backends.cryptography_backend import CryptographyECKey, CryptographyRSAKey

from app.auth.claims import (
    Claims,
    MalformedClaims,
    parse_claims,
    parse_object,
    without_nulls,
)
from app.auth.errors import InvalidToken
from app.auth.jwks import HARD_LIMIT, KeySet
from app.auth.jws import parse_token
from app.auth.policy import ACCESS_TOKEN
from app.http import Endpoint, check_status, open_client
from app.settings import JwtSettings, Settings

_OF_OTHER_TOKENS = {"nonce", "at_hash", "c_hash", "s_hash", "events"}


class ProviderVerifier:
    """Believes a token when the issuer signed it and it is an access token."""

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
            document = without_nulls(parse_object(signed.payload))
            # What the issuer signs and names no use for is an access token, or refused below.
            claims = parse_claims({"token_use": ACCESS_TOKEN, **document})
        except MalformedClaims:
            raise InvalidToken("malformed_claims") from None
        check_required(claims)
        check_access_token(signed.header.type, document, claims)
        return claims

    async def check(self) -> None:
        """Raise `ProviderUnavailable` unless there are keys that can still be believed."""
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
    endpoint = Endpoint("GET", settings.jwks_url, {})
    async with open_client(settings.idp_timeout, transport) as client:

        async def fetch() -> bytes:
            answer = await client.send(endpoint.request())
            check_status(answer, clock)
            return answer.body

        keys = KeySet(fetch, settings.jwt_algorithms, clock)
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
    """Refuse what the issuer signs for other ends: ID, logout and security-event tokens.

    They share its keys, and in Hydra even the header `typ: JWT`. An access token of Hydra names its
    scopes; an ID token names the client as its audience and carries hashes or a nonce.
    """
    if not _OF_OTHER_TOKENS.isdisjoint(document):
        raise InvalidToken("other_kind")
    if kind == "at+jwt":
        return
    if not ("scp" in document or "scope" in document) or claims.audience == {claims.client_id}:
        raise InvalidToken("other_kind")
