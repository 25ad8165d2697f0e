"""Access tokens: how they are made, and what the provider says when asked about one.

The platform's are signed documents. Whoever only asks about them need not know, so these are not.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dev.clients import Client
from dev.grants import Grant

ABSENT = object()
"""As the value of a claim: the answer does not have it."""
QUESTION = "/oauth2/introspect"
"""Where a service asks about tokens."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is known about a token. `expires_at` in seconds since 1970."""

    client_id: str
    scopes: frozenset[str]
    expires_at: float
    answer: Mapping[str, object]


class Tokens:
    """The tokens that live. `clock` gives seconds since 1970."""

    def __init__(self, issuer: str, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._clock = clock
        self._tokens: dict[str, Token] = {}

    def mint(self, grant: Grant, claims: Mapping[str, object] | None = None) -> str:
        """Return a new token for `grant`. `claims` replace fields of the answer, or add some."""
        now = self._clock()
        answer = {**self._answer(grant, now), **(claims or {})}
        token = secrets.token_urlsafe(48)
        self._tokens[token] = Token(
            client_id=grant.client_id,
            scopes=frozenset(grant.scopes),
            expires_at=now + grant.lifetime,
            answer={name: value for name, value in answer.items() if value is not ABSENT},
        )
        return token

    def find(self, token: str) -> Token | None:
        """Return what is known about `token`, `None` for one that does not live."""
        found = self._tokens.get(token)
        return found if found and self._clock() < found.expires_at else None

    def introspect(self, token: str, asker: Client) -> Mapping[str, object]:
        """Return what `asker` is told about `token`: of other clients' tokens, nothing."""
        found = self.find(token)
        if found is None or not (asker.asks_about_all or asker.client_id == found.client_id):
            return {"active": False}
        return found.answer

    def discard(self, token: str) -> None:
        """End `token`."""
        self._tokens.pop(token, None)

    def discard_all(self, client_id: str) -> None:
        """End all tokens of a client."""
        self._tokens = {
            token: known for token, known in self._tokens.items() if known.client_id != client_id
        }

    def _answer(self, grant: Grant, now: float) -> dict[str, object]:
        return {
            "active": True,
            "sub": grant.subject,
            "client_id": grant.client_id,
            "scope": " ".join(grant.scopes),
            "iss": self._issuer,
            "aud": list(grant.audience),
            "exp": int(now + grant.lifetime),
            "iat": int(now),
            "token_type": "Bearer",
            "org_id": "org_7a2b3c4d",
            "org_name": "Acme Corp",
        }
