"""What the calls return. Every field that the platform may leave out has a default."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from avnology_id.answers import Malformed, flag, number, text, texts

_VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class TokenIntrospection:
    """What a token stands for (`/docs/api/oauth/introspect`). Times in seconds since 1970."""

    active: bool
    sub: str | None = None
    client_id: str | None = None
    scope: str = ""
    exp: float | None = None
    iat: float | None = None
    iss: str | None = None
    aud: tuple[str, ...] = ()
    token_type: str | None = None
    org_id: str | None = None
    org_name: str | None = None
    raw: bytes = field(default=b"{}", repr=False)
    """The response as it came, with all claims. Not documented."""

    @property
    def organization_id(self) -> str | None:
        """The organization, as other pages spell it."""
        return self.org_id


@dataclass(frozen=True, slots=True)
class TokenSet:
    """A token and when it ends (`/docs/sdks/python/oauth/client-credentials`)."""

    access_token: str = field(repr=False)
    expires_at: datetime
    expires_in: int = 0
    token_type: str = "Bearer"  # noqa: S105 - the name of a kind
    scope: str = ""
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class User:
    """A user (`/docs/api/users/get-user`). Of the person, only the id shows in its `repr`."""

    id: str | None = None
    email: str | None = field(default=None, repr=False)
    email_verified: bool = False
    name: str | None = field(default=None, repr=False)
    """How people call the user, made of what the platform has."""
    display_name: str | None = field(default=None, repr=False)
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    username: str | None = field(default=None, repr=False)
    organization_id: str | None = None


def token_introspection(document: Mapping[str, object], raw: bytes) -> TokenIntrospection:
    """Make the result of an introspection. Of an inactive token nothing else is known."""
    if not flag(document, "active"):
        return TokenIntrospection(active=False, raw=raw)
    return TokenIntrospection(
        active=True,
        sub=text(document, "sub"),
        client_id=text(document, "client_id"),
        scope=" ".join(texts(document, "scope")),
        exp=number(document, "exp"),
        iat=number(document, "iat"),
        iss=text(document, "iss"),
        aud=texts(document, "aud"),
        token_type=text(document, "token_type"),
        org_id=text(document, "org_id") or text(document, "organization_id"),
        org_name=text(document, "org_name"),
        raw=raw,
    )


def token_set(document: Mapping[str, object], now: float) -> TokenSet:
    """Make the result of a grant. Without `expires_in`, or with a strange one, it ends at once."""
    access_token = text(document, "access_token") or ""
    token_type = text(document, "token_type") or "Bearer"
    if not _VISIBLE.fullmatch(access_token) or token_type.lower() != "bearer":
        raise Malformed("access_token")
    expires_in = int(max(0, min(number(document, "expires_in") or 0, 86_400)))
    return TokenSet(
        access_token=access_token,
        expires_at=datetime.fromtimestamp(now + expires_in, UTC),
        expires_in=expires_in,
        token_type=token_type,
        scope=" ".join(texts(document, "scope")),
        refresh_token=text(document, "refresh_token"),
        id_token=text(document, "id_token"),
    )


def user(document: Mapping[str, object]) -> User:
    """Make a user of flat names (`first_name`), as REST has them, or nested ones (`name.first`)."""
    nested = document.get("name")
    names = nested if isinstance(nested, dict) else {}
    whole = None if isinstance(nested, dict) else text(document, "name")
    first_name = text(document, "first_name") or text(names, "first")
    last_name = text(document, "last_name") or text(names, "last")
    display_name = text(document, "display_name")
    both = " ".join(name for name in (first_name, last_name) if name)
    return User(
        id=text(document, "id"),
        email=text(document, "email"),
        email_verified=document.get("email_verified") is True,
        name=display_name or whole or both or None,
        display_name=display_name,
        first_name=first_name,
        last_name=last_name,
        username=text(document, "username"),
        organization_id=text(document, "organization_id"),
    )
