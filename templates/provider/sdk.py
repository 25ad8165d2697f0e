"""A local identity provider for development and tests, in memory.

It answers as the documentation of Avnology ID says, on its `public` listener. The `admin` listener
takes the place of what people do in the platform's console. Never for production: what it knows is
in this folder for everyone to read.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dev.answers import (
    NO_STORE,
    ApiError,
    OAuthError,
    answer,
    api_refusal,
    not_found,
    read_form,
    refuse,
    refuse_call,
)
from dev.clients import AUDIENCE, WRITER, Client, Clients
from dev.directory import Directory
from dev.environment import ADMIN_PORT, PUBLIC_PORT, issuer_of
from dev.grants import Grant, granted
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
    wait: int | None = None
    """While set, every answer is a 429 with that many seconds to wait."""
    malformed: bool = False
    """While true, every answer is a page for people."""
    calls: int = 0
    """How often a service asked what it needs to check tokens, answered or not."""

    def __init__(
        self, issuer: str = issuer_of(PUBLIC_PORT), clock: Callable[[], float] = time.time
    ) -> None:
        self.clients = Clients()
        self.tokens = Tokens(issuer, clock)
        self.directory = Directory(self.tokens)
        self.public = self._listener(
            [
                Route("/oauth2/token", self._token, methods=["POST"]),
                Route("/oauth2/revoke", self._revoke, methods=["POST"]),
                Route(QUESTION, self._introspect, methods=["POST"]),
                *self.directory.routes,
            ]
        )
        self.admin = self._listener(
            [
                Route("/clients", self._create_client, methods=["POST"]),
                Route("/clients/{client_id}", self._delete_client, methods=["DELETE"]),
            ]
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

    def _listener(self, routes: Sequence[BaseRoute]) -> Starlette:
        health = [Route(f"/health/{state}", _healthy) for state in ("alive", "ready")]
        return Starlette(
            routes=[*routes, *health],
            middleware=[Middleware(Switches, provider=self)],
            exception_handlers={404: not_found, OAuthError: refuse, ApiError: refuse_call},
        )

    async def _token(self, request: Request) -> Response:
        """Issue a token to a machine, or for a user who has signed in."""
        form = await read_form(request)
        grant = granted(self.clients.authenticate(form), form)
        document = {
            "access_token": self.tokens.mint(grant),
            "token_type": "Bearer",
            "expires_in": int(grant.lifetime),
            "scope": " ".join(grant.scopes),
        }
        return answer(document, headers=NO_STORE)

    async def _introspect(self, request: Request) -> Response:
        """Say what a token stands for, to whom it may concern."""
        form = await read_form(request)
        asker = self.clients.authenticate(form)
        if "token" not in form:
            raise OAuthError("invalid_request")
        return answer(self.tokens.introspect(form["token"][0], asker), headers=NO_STORE)

    async def _revoke(self, request: Request) -> Response:
        """End a token (RFC 7009). The answer never tells whether there was one."""
        form = await read_form(request)
        client = self.clients.authenticate(form)
        token = form.get("token", [""])[0]
        known = self.tokens.find(token)
        if known is not None and known.client_id == client.client_id:
            self.tokens.discard(token)
        return Response(headers=NO_STORE)

    async def _create_client(self, request: Request) -> Response:
        try:
            client = Client.model_validate_json(await request.body())
        except ValidationError:
            raise OAuthError("invalid_request") from None
        if not self.clients.add(client):
            raise ApiError(409, "903", "A client with this id exists already")
        return answer(client.model_dump(), 201)

    async def _delete_client(self, request: Request) -> Response:
        """Forget a client. Its tokens die with it."""
        client_id = request.path_params["client_id"]
        if not self.clients.remove(client_id):
            raise ApiError(404, "901", "Not found")
        self.tokens.discard_all(client_id)
        return Response(status_code=204)


class Switches:
    """ASGI layer that counts questions and obeys the provider's switches."""

    def __init__(self, app: ASGIApp, provider: Provider) -> None:
        self._app = app
        self._provider = provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._provider.calls += scope["path"] == QUESTION
            if self._provider.delay:
                await asyncio.sleep(self._provider.delay)
            broken = self._broken()
            if broken is not None:
                await broken(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _broken(self) -> Response | None:
        """Return what every call is answered with instead, if anything."""
        if self._provider.outage:
            return PlainTextResponse("Service Unavailable", 503)
        if self._provider.wait is not None:
            headers = {"Retry-After": str(self._provider.wait)}
            return api_refusal(429, "AVNOLOGY_AUTH_429", "Too many requests", headers)
        if self._provider.malformed:
            return PlainTextResponse("<!DOCTYPE html>\n<title>Welcome</title>\n")
        return None


async def _healthy(request: Request) -> Response:
    return answer({"status": "ok"})
