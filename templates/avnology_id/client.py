"""The client: `from avnology_id import AsyncAvnologyId`."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from urllib.parse import quote, urlencode

import httpx
from avnology_id import errors
from avnology_id.http import Endpoint, Http, Kind
from avnology_id.results import Permission, TokenIntrospection, TokenSet, User
from pydantic import SecretStr

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
"""The client's `user:<id>` and `project:<id>` in the words of the REST pages.

A type that is not here keeps its name.
"""

MAX_ID_LENGTH = 256
MARGIN = 30.0
"""Seconds before its end that a token is renewed, or a tenth of its life where that is less."""


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
        self._base_url = base_url.rstrip("/")
        self._client_id = client_id
        self._api_key = SecretStr(api_key) if api_key else None
        self._http = Http(timeout, transport, clock)
        self.oauth = OAuth(self._http, self._base_url, client_id, client_secret)
        """Tokens: `introspect_token` and `client_credentials`."""
        self.admin = Admin(self)
        """Users: `get_user`."""
        self.permissions = Permissions(self)
        """Permissions: `check`."""

    def __repr__(self) -> str:
        return f"AsyncAvnologyId(base_url={self._base_url!r}, client_id={self._client_id!r})"

    async def call(
        self, method: str, path: str, scope: str, kind: type[Kind], body: bytes = b""
    ) -> Kind:
        """Make a call with the API key, else with a token of this client that has `scope`.

        A token that is refused is replaced once. All of that takes as long as one call may.
        """

        async def send(credential: str) -> Kind:
            headers = {"Authorization": f"Bearer {credential}", "Content-Type": "application/json"}
            endpoint = Endpoint(method, self._base_url + path, headers)
            return await self._http.send(endpoint.request(body), kind)

        async with self._http.deadline():
            if self._api_key is not None:
                return await send(self._api_key.get_secret_value())
            token = await self.oauth.client_credentials(scopes=[scope])
            try:
                return await send(token.access_token)
            except errors.AvnologyIdError as error:
                if error.status_code != 401:
                    raise
            self.oauth.discard(token)
            token = await self.oauth.client_credentials(scopes=[scope])
            return await send(token.access_token)

    async def close(self) -> None:
        """Close the connections. May be called again."""
        await self._http.close()


class OAuth:
    """The OAuth 2.0 calls (`/docs/sdks/python/oauth/tokens`)."""

    def __init__(self, http: Http, base_url: str, client_id: str, client_secret: str) -> None:
        self._http = http
        self._credentials = {"client_id": client_id, "client_secret": client_secret}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self._introspection = Endpoint("POST", base_url + INTROSPECTION, form)
        self._grant = Endpoint("POST", base_url + GRANT, form)
        self._tokens: dict[frozenset[str], TokenSet] = {}
        self._renewing = asyncio.Lock()

    async def introspect_token(self, *, token: str) -> TokenIntrospection:
        """Return what the platform says about `token` (`/docs/api/oauth/introspect`).

        A token that expired, was revoked, is unknown or was issued to a client that this one may
        not ask about is not `active`, and no error. Raises `AvnologyIdError`.
        """
        return await self._send(self._introspection, {"token": token}, TokenIntrospection)

    async def client_credentials(self, *, scopes: Iterable[str] = ()) -> TokenSet:
        """Return a token for this client itself (`/docs/sdks/python/oauth/client-credentials`).

        It is reused for the same set of `scopes`, and renewed before it ends. Concurrent callers
        share one call. Raises `AvnologyIdError`.
        """
        wanted = frozenset(scopes)
        token = self._usable(wanted)
        if token is not None:
            return token
        async with self._http.deadline(), self._renewing:
            token = self._usable(wanted)
            if token is None:
                scope = {"scope": " ".join(sorted(wanted))} if wanted else {}
                fields = {"grant_type": "client_credentials", **scope}
                token = await self._send(self._grant, fields, TokenSet)
                self._tokens[wanted] = token
            return token

    def discard(self, refused: TokenSet) -> None:
        """Forget a token, unless another one has taken its place by now."""
        self._tokens = {key: token for key, token in self._tokens.items() if token is not refused}

    def _usable(self, scopes: frozenset[str]) -> TokenSet | None:
        token = self._tokens.get(scopes)
        if token is None:
            return None
        renewal = token.expires_at.timestamp() - min(MARGIN, token.expires_in / 10)
        return token if self._http.clock() < renewal else None

    async def _send(self, endpoint: Endpoint, fields: dict[str, str], kind: type[Kind]) -> Kind:
        body = urlencode({**fields, **self._credentials}).encode()
        return await self._http.send(endpoint.request(body), kind)


class Admin:
    """The calls about users (`/docs/api/users/get-user`)."""

    def __init__(self, client: AsyncAvnologyId) -> None:
        self._client = client

    async def get_user(self, *, user_id: str) -> User:
        """Return a user by an id that may be any text.

        Raises `NotFoundError` when there is no such user, else `AvnologyIdError`.
        """
        # Two of these are steps in a path, not names, and stay so however they are escaped.
        if user_id in ("", ".", "..") or len(user_id) > MAX_ID_LENGTH:
            raise errors.NotFoundError("invalid_id")
        try:
            path = USERS + quote(user_id, safe="")
        except UnicodeEncodeError:
            raise errors.NotFoundError("invalid_id") from None
        return await self._client.call("GET", path, USERS_SCOPE, User)


class Permissions:
    """The calls about permissions (`/docs/api/permissions/check`)."""

    def __init__(self, client: AsyncAvnologyId) -> None:
        self._client = client

    async def check(self, *, subject: str, relation: str, object: str) -> bool:
        """Tell whether `subject` (`user:<id>`) has `relation` to `object` (`project:<id>`).

        Raises `ValidationError`, without a call, for an id that would make another tuple of it,
        else `AvnologyIdError`: an error never means yes.
        """
        subject_type, subject_id = split(subject)
        object_type, object_id = split(object)
        document = {
            "namespace": NAMESPACES.get(object_type, object_type),
            "object": object_id,
            "relation": relation,
            "subject": f"{NAMESPACES.get(subject_type, subject_type)}:{subject_id}",
        }
        body = json.dumps(document, ensure_ascii=False).encode()
        return (await self._client.call("POST", CHECK, CHECK_SCOPE, Permission, body)).allowed


def split(name: str) -> tuple[str, str]:
    """Return the type and the id of `type:id`. Raises `ValidationError` if it is anything else."""
    kind, _, identifier = name.partition(":")
    good = kind and identifier and name.isprintable() and len(identifier) <= MAX_ID_LENGTH
    if not good or not {"#", "@", ":"}.isdisjoint(identifier):
        raise errors.ValidationError("invalid_id")
    return kind, identifier
