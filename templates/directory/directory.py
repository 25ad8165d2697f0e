"""The users of the provider and what they may do: two small tables, for whoever may read them."""

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dev.answers import ApiError, answer
from dev.tokens import Tokens

API_KEY = "ak_test_local"
"""Reads everything, without a token."""
ANNA = "usr_anna"
BERT = "usr_bert"
"""The users. Anna edits the project `apollo`, Bert only looks at it."""

Tuple = tuple[str, str, str, str]
"""Namespace, object, relation and subject."""


class Directory:
    """Users and permissions, in memory. `tokens` say who may ask."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.users: dict[str, dict[str, object]] = {
            ANNA: _user(ANNA, "anna@example.org", "Anna", "Example"),
            BERT: _user(BERT, "bert@example.org", "Bert", "Example"),
        }
        self.permissions: set[Tuple] = {
            ("projects", "apollo", "editor", f"identities:{ANNA}"),
            ("projects", "apollo", "viewer", f"identities:{BERT}"),
        }
        self.routes: list[BaseRoute] = [
            Route("/v1/identities/{user_id:path}", self.user, methods=["GET"]),
            Route("/v1/permissions:check", self.check, methods=["POST"]),
        ]

    async def user(self, request: Request) -> Response:
        """Show a user."""
        self._admit(request, "admin:users:read")
        user = self.users.get(request.path_params["user_id"])
        if user is None:
            raise ApiError(404, "901", "Identity not found")
        return answer(user)

    async def check(self, request: Request) -> Response:
        """Tell whether there is such a permission. None is no error."""
        self._admit(request, "admin:permissions:read")
        try:
            document = json.loads(await request.body())
            fields = [document[name] for name in ("namespace", "object", "relation", "subject")]
        except (ValueError, TypeError, KeyError):
            raise ApiError(400, "902", "Invalid input") from None
        if not all(isinstance(field, str) and field for field in fields):
            raise ApiError(400, "902", "Invalid input")
        return answer({"allowed": tuple(fields) in self.permissions})

    def _admit(self, request: Request, scope: str) -> None:
        kind, _, credential = request.headers.get("authorization", "").partition(" ")
        if kind == "Bearer" and credential == API_KEY:
            return
        token = self._tokens.find(credential)
        if kind != "Bearer" or token is None:
            raise ApiError(401, "005", "Invalid authentication")
        if scope not in token.scopes:
            raise ApiError(403, "100", "Insufficient permissions")


def _user(user_id: str, email: str, first_name: str, last_name: str) -> dict[str, object]:
    return {
        "id": user_id,
        "email": email,
        "username": first_name.lower(),
        "display_name": f"{first_name} {last_name}",
        "first_name": first_name,
        "last_name": last_name,
        "phone": None,
        "avatar_url": None,
        "email_verified": True,
        "state": "active",
        "organization_id": "org_7a2b3c4d",
    }
