"""Opaque access tokens: how they are made, and what the provider says when asked about one."""

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dev.answers import NO_STORE, protocol_answer, read_form
from dev.grants import Grant

ABSENT = object()
"""As the value of a claim: the answer does not have it."""
ACCESS_TOKEN_STRATEGY = "opaque"
"""What a client is registered with, to get tokens of this kind whatever the provider's default."""
QUESTION = "/oauth2/introspect"
"""Where a service asks about tokens, on the admin listener."""

_PREFIX = "ory_at_"
_PART = r"([A-Za-z0-9_-]{43})"
_TOKEN = re.compile(rf"(?:{_PREFIX})?{_PART}\.{_PART}")


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
        self._key = secrets.token_bytes(32)
        self._by_signature: dict[str, Token] = {}
        self.public_routes: list[BaseRoute] = []
        self.admin_routes: list[BaseRoute] = [Route(QUESTION, self.introspect, methods=["POST"])]

    def mint(self, grant: Grant, claims: Mapping[str, object] | None = None) -> str:
        """Return a new token for `grant`. `claims` replace fields of the answer, or add some."""
        now = self._clock()
        answer = {**self._answer(grant, now), **(claims or {})}
        random = secrets.token_bytes(32)
        signature = self._sign(random)
        self._by_signature[signature] = Token(
            client_id=grant.client_id,
            scopes=frozenset(grant.scopes),
            expires_at=now + grant.lifetime,
            answer={name: value for name, value in answer.items() if value is not ABSENT},
        )
        return f"{_PREFIX}{_encode(random)}.{signature}"

    def owner(self, token: str) -> str | None:
        """Return the client that `token` was issued to, `None` for one that does not live."""
        found = self._find(token)
        return found.client_id if found else None

    def discard(self, token: str) -> None:
        """End `token`, however it is spelt."""
        if self._find(token):
            del self._by_signature[token.rpartition(".")[2]]

    def discard_all(self, client_id: str) -> None:
        """End all tokens of a client."""
        self._by_signature = {
            signature: token
            for signature, token in self._by_signature.items()
            if token.client_id != client_id
        }

    async def introspect(self, request: Request) -> Response:
        """Say what a token stands for (RFC 7662). Nobody has to prove who asks.

        The field `scope` is Hydra's own: a token without one of those scopes counts as inactive.
        """
        form = await read_form(request)
        token = self._find(form.get("token", [""])[0])
        wanted = form.get("scope", [""])[0].split()
        if token is None or not token.scopes.issuperset(wanted):
            return protocol_answer({"active": False}, headers=NO_STORE)
        return protocol_answer(token.answer)

    def _answer(self, grant: Grant, now: float) -> dict[str, object]:
        # The names and their order are Hydra's; a token without scopes has no `scope` at all.
        scope = {"scope": " ".join(grant.scopes)} if grant.scopes else {}
        return {
            "active": True,
            **scope,
            "client_id": grant.client_id,
            "sub": grant.subject,
            "exp": int(now + grant.lifetime),
            "iat": int(now),
            "nbf": int(now),
            "aud": list(grant.audience),
            "iss": self._issuer,
            "token_type": "Bearer",
            "token_use": "access_token",
        }

    def _find(self, token: str) -> Token | None:
        """Return the record of `token`: prefix optional, signature exact, not expired."""
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        # 43 characters are two bits more than 32 bytes, and nobody looks at those two: the last
        # character of the random part has four spellings.
        random = base64.urlsafe_b64decode(parts[1] + "=")
        found = self._by_signature.get(parts[2])
        if found is None or not hmac.compare_digest(self._sign(random), parts[2]):
            return None
        return found if self._clock() < found.expires_at else None

    def _sign(self, random: bytes) -> str:
        return _encode(hmac.digest(self._key, random, "sha256"))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
