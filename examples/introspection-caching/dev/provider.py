"""The local identity provider: tokens and introspection in the shapes of Ory Hydra."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dev.environment import INTROSPECTION, issuer
from dev.oauth import OAuthServer, Token, read_form

PREFIX = "ory_at_"


class Provider(OAuthServer):
    """Issues opaque tokens and says what they stand for (RFC 7662)."""

    def __init__(self, issuer: str = issuer(), clock: Callable[[], float] = time.time) -> None:
        routes = [Route(INTROSPECTION, self._introspect, methods=["POST"])]
        super().__init__(issuer, clock, routes, counted=INTROSPECTION)

    def more_claims(self, scopes: Sequence[str], now: int) -> Mapping[str, object]:
        """Return the rest of the introspection response. Without scopes there is no `scope`."""
        return {
            "active": True,
            **({"scope": " ".join(scopes)} if scopes else {}),
            "nbf": now,
            "token_type": "Bearer",
            "token_use": "access_token",
        }

    def new_token(self, claims: Mapping[str, object]) -> str:
        """Return a new token: random text in two parts."""
        return f"{PREFIX}{secrets.token_urlsafe(32)}.{secrets.token_urlsafe(32)}"

    def find(self, token: str) -> Token | None:
        """Return what is known about `token`. Like Hydra, it needs no prefix for that."""
        return super().find(PREFIX + token.removeprefix(PREFIX))

    async def _introspect(self, request: Request) -> Response:
        """Describe a token. Like Hydra's admin listener, it takes no credentials."""
        found = self.find((await read_form(request)).get("token", ""))
        return JSONResponse(found.claims if found else {"active": False})
