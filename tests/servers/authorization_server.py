"""An authorization server of another project, and the calls of its clients."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import httpx

from tests.servers.processes import Process

AUDIENCE = "https://widgets.example"
SCOPES = "read:widgets write:widgets"


class Client(NamedTuple):
    """A registered client."""

    id: str
    secret: str


class UserTokens(NamedTuple):
    """The tokens of a client after a user has signed in."""

    subject: str
    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class AuthorizationServer(ABC):
    """A running server. Its URLs are from its metadata (RFC 8414)."""

    process: Process
    http: httpx.Client
    metadata: dict[str, str]

    machine: ClassVar[Client]
    """A client that gets tokens for itself."""
    web: ClassVar[Client]
    """A client that gets tokens for users."""
    introspector: ClassVar[Client]
    """The client that introspects tokens, with the credentials of the service."""

    @abstractmethod
    def user_tokens(self) -> UserTokens:
        """Sign a user in, with a flow that the server supports."""

    def machine_token(
        self, *, scope: str = SCOPES, audience: str | None = AUDIENCE, client: Client | None = None
    ) -> str:
        """Get a token by a client's own credentials, for `audience` (RFC 8707)."""
        form = {"grant_type": "client_credentials", "scope": scope}
        if audience is not None:
            form["resource"] = audience
        token: str = self.post("token_endpoint", client or self.machine, form)["access_token"]
        return token

    def revoke(self, token: str, client: Client) -> None:
        """Revoke a token, as the client that holds it (RFC 7009)."""
        self.post("revocation_endpoint", client, {"token": token})

    def post(self, endpoint: str, client: Client, form: dict[str, str]) -> dict[str, str]:
        """Call an endpoint as a client, and return the response."""
        answer = self.http.post(self.metadata[endpoint], data=form, auth=client)
        answer.raise_for_status()
        content: dict[str, str] = answer.json() if answer.content else {}
        return content


StartServer = Callable[[Path], AbstractContextManager[AuthorizationServer]]
"""Starts a server in an empty folder."""


def read_metadata(http: httpx.Client, issuer: str) -> dict[str, str]:
    """Return the metadata of a server."""
    answer = http.get(f"{issuer}/.well-known/openid-configuration").raise_for_status()
    metadata: dict[str, str] = answer.json()
    return metadata
