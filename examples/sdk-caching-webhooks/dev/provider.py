"""The local identity provider: the documented endpoints of Avnology ID that this service calls."""

import json
import time
from collections.abc import Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dev.environment import issuer
from dev.oauth import OAuthServer, read_form

INTROSPECTION = "/oauth2/introspect"
API_KEY = "ak_test_local"
"""Reads users and permissions without a token."""
ANNA = "usr_anna"
BERT = "usr_bert"
"""The users. Anna edits the project `apollo`, Bert only views it."""


class Provider(OAuthServer):
    """Issues opaque tokens, says what they stand for, and knows users and permissions."""

    def __init__(self, issuer: str = issuer(), clock: Callable[[], float] = time.time) -> None:
        routes = [
            Route(INTROSPECTION, self._introspect, methods=["POST"]),
            Route("/v1/identities/{user_id:path}", self._user),
            Route("/v1/permissions:check", self._check, methods=["POST"]),
        ]
        super().__init__(issuer, clock, routes, counted=INTROSPECTION)
        self.users: dict[str, dict[str, str]] = {
            user_id: {
                "id": user_id,
                "email": f"{name.lower()}@example.org",
                "display_name": f"{name} Example",
                "first_name": name,
                "last_name": "Example",
            }
            for user_id, name in ((ANNA, "Anna"), (BERT, "Bert"))
        }
        self.permissions = {
            ("projects", "apollo", "editor", f"identities:{ANNA}"),
            ("projects", "apollo", "viewer", f"identities:{BERT}"),
        }
        """Namespace, object, relation and subject."""

    def more_claims(self, scopes: Sequence[str], now: int) -> Mapping[str, object]:
        """Return the rest of the introspection response."""
        return {
            "active": True,
            "scope": " ".join(scopes),
            "token_type": "Bearer",
            "org_id": "org_7a2b3c4d",
        }

    async def _introspect(self, request: Request) -> Response:
        """Describe a token. The platform shows most clients only their own; this one is lenient."""
        form = await read_form(request)
        self.authenticate(request, form)
        found = self.find(form.get("token", ""))
        return JSONResponse(found.claims if found else {"active": False})

    async def _user(self, request: Request) -> Response:
        if not self._may(request, "admin:users:read"):
            return _error(401, "005", "Invalid authentication")
        user = self.users.get(request.path_params["user_id"])
        return JSONResponse(user) if user else _error(404, "901", "Identity not found")

    async def _check(self, request: Request) -> Response:
        """Tell whether there is such a permission."""
        if not self._may(request, "admin:permissions:read"):
            return _error(401, "005", "Invalid authentication")
        document = json.loads(await request.body())
        wanted = tuple(document[name] for name in ("namespace", "object", "relation", "subject"))
        return JSONResponse({"allowed": wanted in self.permissions})

    def _may(self, request: Request, scope: str) -> bool:
        """Tell whether the caller has the API key, or a token with `scope`."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        found = self.find(token)
        return token == API_KEY or (found is not None and scope in str(found.claims["scope"]))


def _error(status: int, number: str, message: str) -> Response:
    document = {"code": f"AVNOLOGY_AUTH_{number}", "message": message, "request_id": "req_local"}
    return JSONResponse(document, status)
