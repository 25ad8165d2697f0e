"""The client: `from avnology_id import AsyncAvnologyId`."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

import httpx
from avnology_id.errors import AvnologyIdError, NotFoundError, ValidationError
from avnology_id.http import HEADERS, Http, Kind, deadline
from avnology_id.results import Permission, TokenIntrospection, TokenSet, User

# The pages of the documentation contradict each other about paths, scopes and namespaces.
GRANT, INTROSPECTION = "/oauth2/token", "/oauth2/introspect"
USERS, USERS_SCOPE = "/v1/identities/", "admin:users:read"
CHECK, CHECK_SCOPE = "/v1/permissions:check", "admin:permissions:read"
NAMESPACES = {
    "user": "identities",
    "group": "groups",
    "organization": "organizations",
    "project": "projects",
}
"""How the REST pages call the types of `user:<id>`. A type that is not here keeps its name."""

MAX_ID_LENGTH = 256


class AsyncAvnologyId:
    """A client of Avnology ID (`/docs/sdks/python/guides/fastapi`), usable as soon as it is made.

    One for the life of the service and for all requests. Documented are `base_url`, `client_id`
    and `client_secret`; the rest is this package's own:

    - `api_key` authorizes the calls about users and permissions. Without it they are made with a
      token that the client gets by its own credentials.
    - `timeout`: seconds for a call in all.
    - `transport` replaces the network and `clock` (seconds since 1970) the time, for tests.
    """

    def __init__(
        self,
        *,
        base_url: str,
        client_id: str,
        client_secret: str,
        api_key: str | None = None,
        timeout: float = 2.0,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._http = Http(timeout, transport, clock)
        self.oauth = OAuth(self._http, self.base_url, client_id, client_secret)
        self.admin = Admin(self)
        self.permissions = Permissions(self)

    async def call(self, request: httpx.Request, scope: str, kind: type[Kind]) -> Kind:
        """Make a call with the API key, else with a token of this client that has `scope`.

        A token that is refused is replaced once. All of that takes as long as one call may.
        """
        async with deadline(self._http.timeout, "timeout"):
            if self._api_key:
                return await self._http.send(request, kind, self._api_key)
            token = await self.oauth.client_credentials(scopes=[scope])
            try:
                return await self._http.send(request, kind, token.access_token)
            except AvnologyIdError as error:
                if error.status_code != 401:
                    raise
            token = await self.oauth.client_credentials(scopes=[scope], refused=token)
            return await self._http.send(request, kind, token.access_token)

    async def close(self) -> None:
        """Close the connections. May be called again."""
        await self._http.close()


class OAuth:
    """The OAuth 2.0 calls (`/docs/sdks/python/oauth/tokens`)."""

    def __init__(self, http: Http, base_url: str, client_id: str, client_secret: str) -> None:
        self._http = http
        self._credentials = {"client_id": client_id, "client_secret": client_secret}
        self._introspection = httpx.URL(base_url + INTROSPECTION)
        self._grant = httpx.URL(base_url + GRANT)
        self._tokens: dict[frozenset[str], TokenSet] = {}
        self._renewing: defaultdict[frozenset[str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def introspect_token(self, *, token: str) -> TokenIntrospection:
        """Return what the platform says about `token` (`/docs/api/oauth/introspect`).

        A token that expired, was revoked, is unknown or was issued to a client that this one may
        not introspect is not `active`, and no error. Raises `AvnologyIdError`.
        """
        return await self._send(self._introspection, {"token": token}, TokenIntrospection)

    async def client_credentials(
        self, *, scopes: Iterable[str] = (), refused: TokenSet | None = None
    ) -> TokenSet:
        """Return a token for this client itself (`/docs/sdks/python/oauth/client-credentials`).

        It is reused for the same set of `scopes` until a tenth of its life is left. Concurrent
        callers share one call. `refused`, which is not documented, is a token that is not accepted
        any more: it is replaced. Raises `AvnologyIdError`.
        """
        wanted = frozenset(scopes)
        async with deadline(self._http.timeout, "timeout"), self._renewing[wanted]:
            token = self._tokens.get(wanted)
            if token is None or token is refused or ends_soon(token, self._http.clock()):
                fields = {"grant_type": "client_credentials", "scope": " ".join(sorted(wanted))}
                token = self._tokens[wanted] = await self._send(self._grant, fields, TokenSet)
            return token

    async def _send(self, url: httpx.URL, fields: Mapping[str, str], kind: type[Kind]) -> Kind:
        form = {**fields, **self._credentials}
        return await self._http.send(httpx.Request("POST", url, headers=HEADERS, data=form), kind)


class Admin:
    """The calls about users (`/docs/api/users/get-user`)."""

    def __init__(self, client: AsyncAvnologyId) -> None:
        self._client = client

    async def get_user(self, *, user_id: str) -> User:
        """Return a user. Raises `NotFoundError` when there is none, else `AvnologyIdError`."""
        # Two of these are steps in a path, not names, and stay so however they are escaped.
        if user_id in (".", "..") or not is_id(user_id):
            raise NotFoundError("invalid_id")
        url = self._client.base_url + USERS + quote(user_id, safe="")
        request = httpx.Request("GET", url, headers=HEADERS)
        return await self._client.call(request, USERS_SCOPE, User)


class Permissions:
    """The calls about permissions (`/docs/api/permissions/check`)."""

    def __init__(self, client: AsyncAvnologyId) -> None:
        self._client = client

    async def check(self, *, subject: str, relation: str, object: str) -> bool:
        """Tell whether `subject` (`user:<id>`) has `relation` to `object` (`project:<id>`).

        Raises `ValidationError` for an id that would make another tuple of it, without a call, else
        `AvnologyIdError`: an error never means yes.
        """
        namespace, object_id = namespace_and_id(object, "invalid_object")
        document = {
            "namespace": namespace,
            "object": object_id,
            "relation": relation,
            "subject": ":".join(namespace_and_id(subject, "invalid_subject")),
        }
        url = self._client.base_url + CHECK
        request = httpx.Request("POST", url, headers=HEADERS, json=document)
        return (await self._client.call(request, CHECK_SCOPE, Permission)).allowed


def namespace_and_id(name: str, code: str) -> tuple[str, str]:
    """Return the namespace and the id of `type:id`.

    Raises `ValidationError` with `code` unless the id is nothing but an id in
    `namespace:object#relation@subject`.
    """
    kind, _, identifier = name.partition(":")
    if not kind or not is_id(identifier) or not {":", "#", "@"}.isdisjoint(identifier):
        raise ValidationError(code)
    return NAMESPACES.get(kind, kind), identifier


def is_id(text: str) -> bool:
    """Tell whether `text` can be an id: printable, of 1 to 256 characters."""
    return 0 < len(text) <= MAX_ID_LENGTH and text.isprintable()


def ends_soon(token: TokenSet, now: float) -> bool:
    """Tell whether a tenth or less of a token's life is left. `now` in seconds since 1970."""
    return token.expires_at.timestamp() - now <= token.expires_in / 10
