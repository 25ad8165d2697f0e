"""What the calls return, read strictly. Every field that the platform may leave out has a default.

The types are pydantic's, in strict mode: a number is no text, and `1` is no `true`.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Result(BaseModel):
    """Base of the results: immutable, and of the known fields only."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


class TokenIntrospection(Result):
    """What a token stands for (`/docs/api/oauth/introspect`). `exp` in seconds since 1970."""

    active: bool
    sub: str | None = None
    scope: str = ""
    exp: float | None = None
    org_id: str | None = None
    raw: bytes = Field(repr=False)
    """The response as it came, for callers that judge further claims. Not documented."""

    @model_validator(mode="before")
    @classmethod
    def _only_if_active(cls, document: dict[str, Any]) -> dict[str, Any]:
        """Leave out what is said about an inactive token (RFC 7662, section 2.2)."""
        if document.get("active") is False:
            return {"active": False, "raw": document["raw"]}
        return document

    @field_validator("scope", mode="before")
    @classmethod
    def _no_scope(cls, scope: object) -> object:
        return "" if scope is None else scope


class TokenSet(Result):
    """A token for this client (`/docs/sdks/python/oauth/client-credentials`)."""

    access_token: str = Field(repr=False, pattern=r"\A[!-~]+\z")
    token_type: str = Field(default="Bearer", pattern=r"\A(?i:bearer)\z")
    lifetime: float | None = Field(default=None, alias="expires_in")
    received_at: float

    @property
    def expires_in(self) -> int:
        """Seconds that the token lives, at most a day; 0 where the platform does not say."""
        return int(max(0, min(self.lifetime or 0, 86_400)))

    @property
    def expires_at(self) -> datetime:
        """The end of its life. Counted from before the call, so never too late."""
        return datetime.fromtimestamp(self.received_at + self.expires_in, UTC)


class User(Result):
    """A user (`/docs/api/users/get-user`). Of the person, only the id shows in its `repr`."""

    id: str | None = None
    email: str | None = Field(default=None, repr=False)
    display_name: str | None = Field(default=None, repr=False)
    first_name: str | None = Field(default=None, repr=False)
    last_name: str | None = Field(default=None, repr=False)
    names: str | dict[str, str | None] | None = Field(default=None, alias="name", repr=False)

    @property
    def name(self) -> str | None:
        """The name to display, else the first and the last name, flat or nested."""
        if isinstance(self.names, str):
            return self.display_name or self.names
        nested = self.names or {}
        parts = (self.first_name or nested.get("first"), self.last_name or nested.get("last"))
        return self.display_name or " ".join(part for part in parts if part) or None


class Permission(Result):
    """The outcome of a check (`/docs/api/permissions/check`)."""

    allowed: bool


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object: UTF-8, no name twice, no NaN, no half of a surrogate pair.

    Raises `ValueError` or `RecursionError`, whose text may quote the document.
    """
    text = raw.decode()
    document: object = _DECODER.decode(text)
    if "\\u" in text:
        json.dumps(document, ensure_ascii=False).encode()
    if not isinstance(document, dict):
        raise ValueError("no object")
    return document


def _unique_names(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    pairs = list(pairs)
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice")
    return document


def _refuse(constant: str) -> object:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_names, parse_constant=_refuse)
