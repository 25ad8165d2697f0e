"""The client: `from avnology_id import AsyncAvnologyId`."""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import httpx
from avnology_id.admin import Admin
from avnology_id.oauth import OAuth
from avnology_id.options import NAMESPACES, Paths, Scopes
from avnology_id.permissions import Permissions
from avnology_id.platform import Platform


class AsyncAvnologyId:
    """A client of Avnology ID (`/docs/sdks/python/guides/fastapi`), usable as soon as it is made.

    One for the life of the service and for all requests. Documented are `base_url`, `client_id`
    and `client_secret`; the rest is this package's own:

    - `api_key` authorizes the calls about users and permissions. Without it they are made with a
      token that the client gets by its own credentials, with the scopes in `scopes`.
    - `timeout`: seconds for a call in all.
    - `transport` replaces the network and `clock` (seconds since 1970) the time, for tests.
    - `paths`, `scopes` and `namespaces` are what the documentation says about the platform.
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
        paths: Paths | None = None,
        scopes: Scopes | None = None,
        namespaces: Mapping[str, str] = NAMESPACES,
    ) -> None:
        paths, scopes = paths or Paths(), scopes or Scopes()
        credentials = {"client_id": client_id, "client_secret": client_secret}
        self._name = f"base_url={base_url!r}, client_id={client_id!r}"
        self._platform = Platform(
            base_url, credentials, api_key, timeout, transport, clock, paths.token
        )
        self.oauth = OAuth(self._platform, paths)
        """Tokens: `introspect_token` and `client_credentials`."""
        self.admin = Admin(self._platform, paths, scopes)
        """Users: `get_user`."""
        self.permissions = Permissions(self._platform, paths, scopes, namespaces)
        """Permissions: `check`."""

    def __repr__(self) -> str:
        return f"AsyncAvnologyId({self._name})"

    async def close(self) -> None:
        """Close the connections. May be called again."""
        await self._platform.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
