"""Who is calling: what the policy makes of a token and every route receives."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.auth.claims import Claims


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose token passed every rule. Holds claims, never the token.

    Key your own records on `issuer` and `subject` together, never on an e-mail address.
    """

    subject: str
    client_id: str | None
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
        """Make the principal of `claims` that passed the policy."""
        return cls(
            subject=subject,
            client_id=claims.client_id,
            scopes=claims.scopes,
            audience=claims.audience,
            issuer=claims.issuer,
            expires_at=claims.expires_at,
            is_machine=subject == claims.client_id,
            claims=MappingProxyType(claims.model_extra or {}),
        )
