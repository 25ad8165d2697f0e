"""What the identity provider says about a token, as typed values.

A response is parsed once, here, and becomes an immutable `Claims`. This module checks the types of
claims. `policy` checks their values.
"""

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol


class MalformedClaims(ValueError):
    """The document breaks the protocol. The text names the claim, never its value."""


class Claims(NamedTuple):
    """The claims of a token. Times are in seconds since 1970. `None` means absent."""

    subject: str | None = None
    client_id: str | None = None
    scopes: frozenset[str] = frozenset()
    audience: frozenset[str] = frozenset()
    issuer: str | None = None
    expires_at: float | None = None
    not_before: float | None = None
    issued_at: float | None = None
    token_use: str | None = None
    token_type: str | None = None
    bound: bool = False
    """Whether the token is bound to a key (`cnf`, RFC 7800), so that it is no bearer token."""
    extra: Mapping[str, object] = MappingProxyType({})
    """The remaining claims, read-only all the way down."""

    @property
    def owner(self) -> str | None:
        """The subject: `sub`, else the client itself (RFC 9068, section 2.2).

        Several servers send no `sub` for a machine's token.
        """
        return self.client_id if self.subject is None else self.subject


class TokenVerifier(Protocol):
    """The seam between the service and the identity provider."""

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return the claims of `token`, or raise `AuthError`. The policy judges them.

        They are at most `max_age` seconds old. `None` leaves that to the verifier.
        """
        ...

    async def check(self) -> None:
        """Raise `ProviderUnavailable` unless tokens can be verified now."""
        ...


def parse_object(raw: bytes) -> dict[str, object]:
    """Parse a JSON object strictly: UTF-8, no name twice, finite numbers, text that is Unicode.

    Raises `MalformedClaims`, whatever the bytes are.
    """
    try:
        text = raw.decode()
        document: object = _STRICT.decode(text)
        if "\\u" in text:  # an escape may spell half a surrogate pair, which no response can carry
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        # `from None`: the parser's exception quotes the document
        raise MalformedClaims("the document is not JSON") from None
    if not isinstance(document, dict):
        raise MalformedClaims("the document is not an object")
    return document


def without_nulls(document: Mapping[str, object]) -> Mapping[str, object]:
    """Return the claims of `document` that are not null: a null claim counts as absent."""
    return {name: value for name, value in document.items() if value is not None}


def parse_claims(document: Mapping[str, object]) -> Claims:
    """Make `Claims` of a parsed document (names of RFC 7662, section 2.2, and RFC 9068).

    Raises `MalformedClaims` when a claim has another JSON type than its definition says.
    """
    document = without_nulls(document)
    try:
        extra = {name: _frozen(value) for name, value in document.items() if name not in _KNOWN}
    except RecursionError:
        raise MalformedClaims("a claim is nested too deeply") from None
    return Claims(
        subject=_text(document, "sub"),
        client_id=_text(document, "client_id"),
        scopes=_scopes(document),
        audience=_texts(document, "aud"),
        issuer=_text(document, "iss"),
        expires_at=_seconds(document, "exp"),
        not_before=_seconds(document, "nbf"),
        issued_at=_seconds(document, "iat"),
        token_use=_text(document, "token_use"),
        token_type=_text(document, "token_type"),
        bound="cnf" in document,
        extra=MappingProxyType(extra),
    )


_TEXTS = {"sub", "client_id", "iss", "token_use", "token_type", "scope", "scp", "aud"}
_KNOWN = _TEXTS | {"active", "exp", "nbf", "iat", "cnf"}


def _text(document: Mapping[str, object], name: str) -> str | None:
    if name not in document:
        return None
    value = document[name]
    if not isinstance(value, str):
        raise MalformedClaims(name)
    return value


def _seconds(document: Mapping[str, object], name: str) -> float | None:
    if name not in document:
        return None
    value = document[name]
    # Not `isinstance`: `bool` is an `int` to Python, not to JSON
    if not (type(value) is int or type(value) is float):
        raise MalformedClaims(name)
    try:
        return float(value)
    except OverflowError:
        raise MalformedClaims(name) from None


def _texts(document: Mapping[str, object], name: str) -> frozenset[str]:
    value = document.get(name, [])
    if isinstance(value, str):
        return frozenset((value,))
    if isinstance(value, list) and set(map(type, value)) <= {str}:
        return frozenset(value)
    raise MalformedClaims(name)


def _scopes(document: Mapping[str, object]) -> frozenset[str]:
    """Return the scopes of `scp` (a list), else of `scope`, whose only separator is the space."""
    name = "scp" if "scp" in document else "scope"
    value = document.get(name)
    if isinstance(value, str):
        return frozenset(value.split(" ")) - {""}
    return _texts(document, name)


def _frozen(value: object) -> object:
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(item) for name, item in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value


def _unique_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise MalformedClaims("a name stands twice")
    return document


def _refuse_constant(name: str) -> object:
    raise MalformedClaims("NaN and Infinity are not JSON")


def finite(digits: str) -> float:
    """Return a number of JSON that has a fraction or an exponent. Raises `MalformedClaims`."""
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedClaims("a number is too large")
    return number


_STRICT = json.JSONDecoder(
    object_pairs_hook=_unique_names, parse_constant=_refuse_constant, parse_float=finite
)
