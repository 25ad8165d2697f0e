"""Verifies Olympus's JWT access tokens with the issuer's keys, without asking about each token.

What python-jose does not check, and what tells an access token from the other tokens of the same
issuer and the same keys, is checked here. The policy judges the claims afterwards.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx
from jose import backends
from jose.backends.cryptography_backend import CryptographyECKey, CryptographyRSAKey
from pydantic import Field, field_validator

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
from app.settings import Names, ProviderUrl, Settings

ALGORITHMS = {"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}
"""What may be set. Never an algorithm with a shared key: whoever verifies with it can sign."""

_OF_OTHER_TOKENS = {"nonce", "at_hash", "c_hash", "s_hash", "events"}


class ProviderSettings(Settings):
    """Whose tokens are accepted, and where the keys are."""

    issuer: ProviderUrl = Field(
        alias="OLYMPUS_ISSUER",
        description="the issuer exactly as Hydra names itself in `iss`",
        examples=["https://oauth.ciam.example.com"],
    )
    jwks_url: ProviderUrl | None = Field(
        default=None,
        alias="OLYMPUS_JWKS_URL",
        description="the URL of the issuer's keys, where the issuer's own address is out of reach",
        examples=["http://ciam-hydra:5002/.well-known/jwks.json"],
    )
    algorithms: Names = Field(
        default=frozenset({"RS256"}),
        validate_default=True,
        alias="JWT_ALGORITHMS",
        description="the algorithms that tokens are signed with, separated by commas",
        examples=["RS256,ES256"],
    )

    @field_validator("algorithms")
    @classmethod
    def _known(cls, names: frozenset[str]) -> frozenset[str]:
        if (backends.RSAKey, backends.ECKey) != (CryptographyRSAKey, CryptographyECKey):
            raise ValueError("needs the backend of python-jose[cryptography]: install it with that")
        if not names <= ALGORITHMS:
            raise ValueError(f"may hold {', '.join(sorted(ALGORITHMS))} and nothing else")
        return names

    @property
    def keys_at(self) -> str:
        """The URL of the issuer's keys."""
        return self.jwks_url or self.issuer.rstrip("/") + "/.well-known/jwks.json"


class ProviderVerifier:
    """Believes a token when the issuer signed it and it is an access token."""

    def __init__(self, settings: ProviderSettings, keys: KeySet) -> None:
        self._algorithms = settings.algorithms
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
    settings: ProviderSettings,
    time_limit: float,
    transport: httpx.AsyncBaseTransport | None,
    clock: Callable[[], float],
) -> AsyncIterator[ProviderVerifier]:
    """Open the verifier for the life of the service, and start to fetch the keys.

    `time_limit` in seconds, for one call.
    """
    endpoint = Endpoint("GET", settings.keys_at, {})
    async with open_client(time_limit, transport) as client:

        async def fetch() -> bytes:
            answer = await client.send(endpoint.request())
            check_status(answer, clock)
            return answer.body

        keys = KeySet(fetch, settings.algorithms, clock)
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
