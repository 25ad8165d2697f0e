"""What the calls return, read strictly. Every field that the platform may leave out has a default.

The types are pydantic's, in strict mode: a number is no text, and `1` is no `true`.
"""

from datetime import UTC, datetime
from typing import Annotated

import jiter
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, model_validator

Private = Annotated[str | None, Field(repr=False)]


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
    organization_id: str | None = None
    """The same in another spelling of the documentation."""
    raw: bytes = Field(repr=False)
    """The response as it came, for callers that judge further claims. Not documented."""

    @model_validator(mode="before")
    @classmethod
    def _only_if_active(cls, document: dict[str, object]) -> dict[str, object]:
        """Leave out what is said about an inactive token (RFC 7662, section 2.2)."""
        if document.get("active") is False:
            return {"active": False, "raw": document["raw"]}
        return document


class TokenSet(Result):
    """A token for this client (`/docs/sdks/python/oauth/client-credentials`)."""

    access_token: str = Field(repr=False, pattern=r"\A[!-~]+\z")
    token_type: str = Field(default="Bearer", pattern=r"\A(?i:bearer)\z")
    expires_in: int = Field(default=0, ge=0, le=2**31)
    """Seconds that the token lives; 0 where the platform does not say."""
    sent_at: float
    """When the call was sent, in seconds since 1970. Not documented."""

    @property
    def expires_at(self) -> datetime:
        """The end of its life. Counted from before the call, so never too late."""
        return datetime.fromtimestamp(self.sent_at + self.expires_in, UTC)


class User(Result):
    """A user (`/docs/api/users/get-user`), who does not show in its `repr`."""

    email: Private = None
    display_name: Private = None
    first_name: Private = Field(
        None, validation_alias=AliasChoices("first_name", AliasPath("name", "first"))
    )
    last_name: Private = Field(
        None, validation_alias=AliasChoices("last_name", AliasPath("name", "last"))
    )

    @property
    def name(self) -> str | None:
        """The name to display, else the first and the last name."""
        parts = (self.first_name, self.last_name)
        return self.display_name or " ".join(part for part in parts if part) or None


class Permission(Result):
    """The outcome of a check (`/docs/api/permissions/check`)."""

    allowed: bool


def parse_object(body: bytes) -> dict[str, object]:
    """Parse a JSON object strictly: no name twice, no NaN. Leave out fields that are null.

    Raises `ValueError`, whose text may quote the document.
    """
    document: object = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return {name: value for name, value in document.items() if value is not None}
