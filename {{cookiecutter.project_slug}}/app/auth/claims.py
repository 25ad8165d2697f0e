"""What the identity provider says about a token, as typed values.

A response is parsed once, here, and becomes immutable `Claims`. This module checks the types of
claims. `policy` checks their values.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import jiter
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class MalformedClaims(ValueError):
    """The document breaks the protocol. The text never has a value of it."""


class Claims(BaseModel):
    """The claims of a token (RFC 7662, section 2.2; RFC 9068). `None` means absent.

    Times are in seconds since 1970. The remaining claims are in `model_extra`.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", allow_inf_nan=False)

    subject: str | None = Field(None, alias="sub")
    client_id: str | None = None
    scopes: frozenset[str] = Field(frozenset(), alias="scp", strict=False)
    audience: frozenset[str] = Field(frozenset(), alias="aud", strict=False)
    issuer: str | None = Field(None, alias="iss")
    expires_at: float | None = Field(None, alias="exp")
    not_before: float | None = Field(None, alias="nbf")
    issued_at: float | None = Field(None, alias="iat")
    token_use: str | None = None
    token_type: str | None = None
    confirmation: object = Field(None, alias="cnf")  # the key that it is bound to (RFC 7800)

    @model_validator(mode="before")
    @classmethod
    def _normalise(cls, document: object) -> object:
        """Leave out null claims, which count as absent, and make the others read-only.

        Scopes are in `scp`, else in `scope`, whose only separator is the space (RFC 6749, 3.3).
        """
        if not isinstance(document, Mapping):
            return document
        claims = {name: _frozen(value) for name, value in document.items() if value is not None}
        claims.pop("active", None)
        scopes = claims.setdefault("scp", claims.pop("scope", ()))
        if isinstance(scopes, str):
            claims["scp"] = [scope for scope in scopes.split(" ") if scope]
        if isinstance(audience := claims.get("aud"), str):
            claims["aud"] = [audience]
        return claims

    @property
    def owner(self) -> str | None:
        """The subject, or the client of a machine's token, for which many servers send no `sub`."""
        return self.client_id if self.subject is None else self.subject


class TokenVerifier(Protocol):
    """The seam between the service and the identity provider."""

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return the claims of `token`, or raise `AuthError`. The policy judges them.

        They are at most `max_age` seconds old. `None` leaves that to the verifier.
        """


def parse_object(raw: bytes) -> dict[str, object]:
    """Parse a JSON object strictly: UTF-8, no name twice, text that is Unicode.

    Raises `MalformedClaims`, and nothing else, for bytes that are no such object.
    """
    try:
        document: object = jiter.from_json(raw, catch_duplicate_keys=True, allow_inf_nan=False)
    except ValueError:
        # `from None`: the parser's exception quotes the document
        raise MalformedClaims("the document is not JSON") from None
    if not isinstance(document, dict):
        raise MalformedClaims("the document is not an object")
    return document


def parse_claims(document: Mapping[str, object]) -> Claims:
    """Make `Claims` of a parsed document.

    Raises `MalformedClaims` when a claim has another JSON type than its definition says.
    """
    try:
        return Claims.model_validate(document)
    except ValidationError as error:
        # `from None`: pydantic's exception quotes the claim
        raise MalformedClaims(error.errors()[0]["loc"]) from None


def _frozen(value: object) -> object:
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(item) for name, item in value.items()})
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is infinite, such as 1e400")
    return value
