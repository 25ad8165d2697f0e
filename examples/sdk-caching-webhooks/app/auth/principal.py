"""Who is calling: what the policy makes of a token and every route receives."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.auth.claims import Claims
from app.auth.errors import InvalidToken

ORGANIZATION = ("org_id", "organization_id")
"""The platform's documentation has both spellings."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose token passed every rule. Holds claims, never the token.

    Key your own records on `issuer` and `subject` together, never on an e-mail address.
    """

    subject: str
    client_id: str | None
    organization_id: str | None
    """The organization that the token is for, `None` where it is for none."""
    scopes: frozenset[str]
    audience: frozenset[str]
    issuer: str | None
    expires_at: float | None
    """Seconds since 1970, or `None` where the provider names no end."""
    is_machine: bool
    """Whether the token was issued to a client for itself, without a user."""
    claims: Mapping[str, object]
    """The remaining claims, read-only."""

    @classmethod
    def of(cls, claims: Claims, subject: str) -> "Principal":
        """Make the principal of `claims` that passed the policy. Raises `InvalidToken`."""
        return cls(
            subject=subject,
            client_id=claims.client_id,
            organization_id=organization_of(claims),
            scopes=claims.scopes,
            audience=claims.audience,
            issuer=claims.issuer,
            expires_at=claims.expires_at,
            is_machine=subject == claims.client_id,
            claims=MappingProxyType(claims.model_extra or {}),
        )


def organization_of(claims: Claims) -> str | None:
    """Return the organization in either spelling. Refuse a token that names two."""
    values = ((claims.model_extra or {}).get(name) for name in ORGANIZATION)
    names = {value for value in values if isinstance(value, str) and value}
    if len(names) > 1:
        raise InvalidToken("organization")
    return names.pop() if names else None
