"""Verifies Olympus's JWT access tokens with the issuer's keys, without a call for each token.

This module checks what tells an access token from the issuer's other signed tokens. The policy
checks the values of the claims afterwards.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx

from app.auth.claims import Claims, MalformedClaims, parse_claims, parse_object
from app.auth.errors import InvalidToken
from app.auth.jwt.jwks import HARD_LIMIT, KeySet
from app.auth.policy import ACCESS_TOKEN
from app.auth.provider import HEADERS, bounded, send
from app.settings import Settings

_OF_OTHER_TOKENS = {"nonce", "at_hash", "c_hash", "s_hash", "events"}


class ProviderVerifier:
    """Accepts a token if the issuer signed it and it is an access token."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return what the issuer signed.

        Raises `InvalidToken`, or `ProviderUnavailable` while there are no keys to verify with.
        """
        signed = await self._keys.verify(token)
        try:
            document = parse_object(signed.payload)
            if document.get("token_use") is None:
                # The claim is missing in Hydra's tokens: `check_access_token` below decides.
                document["token_use"] = ACCESS_TOKEN
            claims = parse_claims(document)
        except MalformedClaims:
            raise InvalidToken("malformed_claims") from None
        check_required(claims)
        check_access_token(claims, document, signed.type)
        return claims

    async def check(self) -> None:
        """Raise `ProviderUnavailable` unless there are keys that still count."""
        await self._keys.keep_fresh(patience=HARD_LIMIT)


@asynccontextmanager
async def open_verifier(
    settings: Settings, transport: httpx.AsyncBaseTransport | None, clock: Callable[[], float]
) -> AsyncIterator[ProviderVerifier]:
    """Open the verifier for the life of the service, and start to fetch the keys."""
    request = httpx.Request("GET", settings.jwks_url, headers=HEADERS)
    async with transport or httpx.AsyncHTTPTransport(verify=ssl.create_default_context()) as opened:

        async def fetch() -> bytes:
            return await bounded(send(opened, request, clock), settings.idp_timeout)

        keys = KeySet(fetch, settings.jwt_algorithms, clock)
        keys.start()
        yield ProviderVerifier(keys)
        keys.close()


def check_required(claims: Claims) -> None:
    """Refuse a token that leaves out what it is judged by (RFC 9068, section 2.2)."""
    required = (claims.issuer, claims.subject, claims.expires_at, claims.issued_at)
    if None in required or not (claims.client_id or "").strip():
        raise InvalidToken("missing_claim")


def check_access_token(claims: Claims, document: Mapping[str, object], kind: str) -> None:
    """Refuse the issuer's other signed tokens: ID, logout and security-event tokens.

    They share its keys, and in Hydra even the header `typ: JWT`. An access token of Hydra names its
    scopes; an ID token names the client as its audience and carries hashes or a nonce.
    """
    if not _OF_OTHER_TOKENS.isdisjoint(claims.model_extra or ()):
        raise InvalidToken("other_kind")
    names_scopes = any(document.get(name) is not None for name in ("scp", "scope"))
    if kind == "jwt" and (not names_scopes or claims.audience == {claims.client_id}):
        raise InvalidToken("other_kind")
