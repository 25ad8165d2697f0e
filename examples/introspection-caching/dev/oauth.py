"""A small OAuth server in memory: clients get tokens by their own credentials and revoke them.

`Provider` adds the endpoints that this service calls. Only for development and tests: every name
and secret that it knows stands here.
"""

import asyncio
import base64
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dev.environment import AUDIENCE, CLIENTS

ABSENT = object()
"""As the value of a claim: the token does not have it."""


@dataclass(frozen=True, slots=True)
class Token:
    """What is known about a token. `expires_at` in seconds since 1970."""

    client_id: str
    expires_at: float
    claims: Mapping[str, object]


class FaultInjection:
    """ASGI layer before a provider: counts calls, delays them, or fails instead of it."""

    delay: float = 0
    """Seconds before each response."""
    outage: bool = False
    """While true, every response is a 503."""
    calls: int = 0
    """Requests that a service sent to check tokens, failed ones included."""

    def __init__(self, app: ASGIApp, counted: str) -> None:
        self._app = app
        self._counted = counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += scope["path"] == self._counted
        if self.delay:
            await asyncio.sleep(self.delay)
        app = PlainTextResponse("Service Unavailable", 503) if self.outage else self._app
        await app(scope, receive, send)


class OAuthServer(FaultInjection, ABC):
    """The endpoints for clients. `clock` gives seconds since 1970, `counted` is a path."""

    def __init__(
        self, issuer: str, clock: Callable[[], float], routes: Iterable[BaseRoute], counted: str
    ) -> None:
        own = [
            Route("/oauth2/token", self._grant, methods=["POST"]),
            Route("/oauth2/revoke", self._revoke, methods=["POST"]),
            Route("/dev/token", self._issue, methods=["POST"]),
        ]
        app = Starlette(routes=[*own, *routes], exception_handlers={HTTPException: _refuse})
        super().__init__(app, counted)
        self.issuer = issuer
        self._clock = clock
        self._tokens: dict[str, Token] = {}

    def issue(
        self,
        *,
        client_id: str = "writer",
        subject: str | None = None,
        scopes: Iterable[str] | None = None,
        audience: Iterable[str] = (AUDIENCE,),
        lifetime: float = 3600,
        **claims: object,
    ) -> str:
        """Return a new token for any client or user. `lifetime` in seconds.

        Without a `subject` it is a machine's token, without `scopes` it has all of the client's.
        `claims` replace or add to what the token says, as they are; `ABSENT` takes one away.
        """
        now = self._clock()
        granted = CLIENTS.get(client_id, "").split() if scopes is None else list(scopes)
        says: dict[str, object] = {
            "client_id": client_id,
            "sub": client_id if subject is None else subject,
            "aud": list(audience),
            "iss": self.issuer,
            "iat": int(now),
            "exp": int(now + lifetime),
            **self.more_claims(granted, int(now)),
            **claims,
        }
        says = {name: value for name, value in says.items() if value is not ABSENT}
        token = self.new_token(says)
        self._tokens[token] = Token(client_id, now + lifetime, says)
        return token

    @abstractmethod
    def more_claims(self, scopes: Sequence[str], now: int) -> Mapping[str, object]:
        """Return the claims of this platform's tokens."""

    def new_token(self, claims: Mapping[str, object]) -> str:
        """Return a new token: random text."""
        return secrets.token_urlsafe(48)

    def find(self, token: str) -> Token | None:
        """Return what is known about `token`, `None` if it is unknown, revoked or expired."""
        found = self._tokens.get(token)
        return found if found and self._clock() < found.expires_at else None

    def revoke(self, token: str) -> None:
        """Revoke `token`."""
        self._tokens.pop(token, None)

    def authenticate(self, request: Request, form: Mapping[str, str]) -> str:
        """Return the id of the client whose credentials are in the form or sent as HTTP Basic."""
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
        if client_id not in CLIENTS or secret != f"{client_id}-secret":
            raise HTTPException(401, "invalid_client")
        return client_id

    async def _grant(self, request: Request) -> Response:
        """Issue a token to a machine (RFC 6749, section 4.4)."""
        form = await read_form(request)
        client_id = self.authenticate(request, form)
        if form.get("grant_type") != "client_credentials":
            raise HTTPException(400, "unsupported_grant_type")
        scopes, audience = form.get("scope", "").split(), form.get("audience", "").split()
        if not set(scopes) <= set(CLIENTS[client_id].split()):
            raise HTTPException(400, "invalid_scope")
        if not set(audience) <= {AUDIENCE}:
            raise HTTPException(400, "invalid_request")
        token = self.issue(client_id=client_id, scopes=scopes, audience=audience)
        document = {"access_token": token, "expires_in": 3600, "token_type": "bearer"}
        return JSONResponse({**document, "scope": " ".join(scopes)})

    async def _revoke(self, request: Request) -> Response:
        """Revoke a token (RFC 7009). The response does not tell whether there was one."""
        form = await read_form(request)
        client_id = self.authenticate(request, form)
        found = self.find(form.get("token", ""))
        if found is not None and found.client_id == client_id:
            self.revoke(form["token"])
        return Response()

    async def _issue(self, request: Request) -> Response:
        """Issue what `python -m dev token` wants: the body has the arguments of `issue`."""
        return JSONResponse({"access_token": self.issue(**await request.json())})


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form."""
    return dict(parse_qsl((await request.body()).decode()))


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)
