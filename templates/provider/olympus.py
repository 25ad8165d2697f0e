"""A local identity provider for development and tests, in memory.

It answers as Ory Hydra does, on the same two listeners: `public` for clients that want a token,
`admin` for operators and whom they let in. Never for production: what it knows is in this folder
for everyone to read.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dev import answers
from dev.answers import NO_STORE, PRIVATE, OAuthError, api_answer, protocol_answer, read_form
from dev.clients import AUDIENCE, WRITER, Client, Clients
from dev.environment import ADMIN_PORT, PUBLIC_PORT, issuer_of
from dev.grants import Grant, client_credentials
from dev.tokens import ABSENT, QUESTION, Tokens

__all__ = ["ABSENT", "Provider"]


class Provider:
    """An identity provider with its state, and an ASGI application: both listeners in one.

    `clock` gives seconds since 1970.
    """

    delay: float = 0
    """Seconds before each answer."""
    outage: bool = False
    """While true, every answer is a 503."""
    calls: int = 0
    """How often a service asked what it needs to check tokens, answered or not."""

    def __init__(
        self, issuer: str = issuer_of(PUBLIC_PORT), clock: Callable[[], float] = time.time
    ) -> None:
        self.clients = Clients()
        self.tokens = Tokens(issuer, clock)
        self.public = self._listener(
            [
                Route("/oauth2/token", self._token, methods=["POST"]),
                Route("/oauth2/revoke", self._revoke, methods=["POST"]),
                *self.tokens.public_routes,
            ],
            answers.public_not_found,
        )
        self.admin = self._listener(
            [
                Route("/clients", self._create_client, methods=["POST"]),
                Route("/clients/{client_id}", self._delete_client, methods=["DELETE"]),
                Route("/oauth2/tokens", self._delete_tokens, methods=["DELETE"]),
                *self.tokens.admin_routes,
            ],
            answers.admin_not_found,
            [Middleware(WithoutAdminPrefix)],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve both listeners without a network, told apart by their ports."""
        port = (scope.get("server") or ("", PUBLIC_PORT))[1]
        listener = self.admin if port == ADMIN_PORT else self.public
        await listener(scope, receive, send)

    def issue(
        self,
        *,
        client_id: str = WRITER.client_id,
        subject: str | None = None,
        scopes: Iterable[str] = tuple(WRITER.scope.split()),
        audience: Iterable[str] = (AUDIENCE,),
        lifetime: float = 3600,
        **claims: object,
    ) -> str:
        """Return a new token that nobody asked for. `lifetime` in seconds.

        Without a `subject` it is a machine's token: the client speaks for itself. `claims` replace
        fields of the provider's answer or add some, as they are; `ABSENT` takes a field away.
        """
        subject = client_id if subject is None else subject
        grant = Grant(client_id, subject, tuple(scopes), tuple(audience), lifetime)
        return self.tokens.mint(grant, claims)

    def revoke(self, token: str) -> None:
        """End `token`, as its client can."""
        self.tokens.discard(token)

    def _listener(
        self,
        routes: Sequence[BaseRoute],
        not_found: Callable[..., Any],
        middleware: Sequence[Middleware] = (),
    ) -> Starlette:
        health = [Route(f"/health/{state}", _healthy) for state in ("alive", "ready")]
        handlers = {404: not_found, 405: answers.wrong_method, OAuthError: answers.refuse}
        return Starlette(
            routes=[*routes, *health],
            middleware=[Middleware(Switches, provider=self), *middleware],
            exception_handlers=handlers,
        )

    async def _token(self, request: Request) -> Response:
        """Issue a token to a machine (RFC 6749, section 4.4)."""
        form = await read_form(request)
        grant = client_credentials(self.clients.authenticate(request), form)
        document = {
            "access_token": self.tokens.mint(grant),
            # what is left of the lifetime is rounded down, so it is always one short
            "expires_in": max(0, int(grant.lifetime) - 1),
            "scope": " ".join(grant.scopes),
            "token_type": "bearer",
        }
        return protocol_answer(document, headers=NO_STORE)

    async def _revoke(self, request: Request) -> Response:
        """End a token (RFC 7009). The answer never tells whether there was one."""
        form = await read_form(request)
        client = self.clients.authenticate(request)
        token = form.get("token", [""])[0]
        if self.tokens.owner(token) == client.client_id:
            self.tokens.discard(token)
        return Response(headers=NO_STORE)

    async def _create_client(self, request: Request) -> Response:
        try:
            client = Client.model_validate_json(await request.body())
        except ValidationError:
            raise OAuthError("invalid_request") from None
        if not self.clients.add(client):
            return api_answer({"error": "A client with this id exists already"}, 409)
        location = {"Location": f"/admin/clients/{client.client_id}"}
        return api_answer(client.model_dump(), 201, location)

    async def _delete_client(self, request: Request) -> Response:
        """Forget a client. Its tokens die with it."""
        client_id = request.path_params["client_id"]
        if not self.clients.remove(client_id):
            return api_answer({"error": "Unable to locate the resource"}, 404)
        self.tokens.discard_all(client_id)
        return Response(status_code=204)

    async def _delete_tokens(self, request: Request) -> Response:
        self.tokens.discard_all(request.query_params.get("client_id", ""))
        return Response(status_code=204)


class Switches:
    """ASGI layer that counts questions and obeys the provider's `delay` and `outage`."""

    def __init__(self, app: ASGIApp, provider: Provider) -> None:
        self._app = app
        self._provider = provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._provider.calls += scope["path"].rstrip("/").endswith(QUESTION)
            if self._provider.delay:
                await asyncio.sleep(self._provider.delay)
            if self._provider.outage:
                await PlainTextResponse("Service Unavailable", 503)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class WithoutAdminPrefix:
    """ASGI layer for the admin listener: its paths are known with and without `/admin`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"].removeprefix("/admin").rstrip("/")
            scope = {**scope, "path": path or "/"}
        await self._app(scope, receive, send)


async def _healthy(request: Request) -> Response:
    return api_answer({"status": "ok"}, headers=PRIVATE)
