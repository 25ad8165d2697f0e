"""The clients of the provider: who may ask for which tokens, and how they prove who they are."""

import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from dev.answers import OAuthError


class Client(BaseModel):
    """A client as it is registered."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    client_id: str = Field(default_factory=lambda: f"app_{uuid.uuid4().hex}", min_length=1)
    client_secret: str = Field(default_factory=secrets.token_urlsafe, min_length=6)
    grant_types: list[str] = ["client_credentials", "authorization_code"]
    scope: str = ""
    audience: list[str] = []
    lifetime: float = 3600
    """Seconds that a token of this client lives."""
    asks_about_all: bool = False
    """Whether tokens of other clients are active to this one, too."""


def machine(name: str, scope: str) -> Client:
    """Return a client of the kind that is there from the start: secret `<name>-secret`."""
    return Client(client_id=name, client_secret=f"{name}-secret", scope=scope, audience=[AUDIENCE])


AUDIENCE = "https://widgets.example"
"""The service that the first clients may ask tokens for."""
READER = machine("reader", "read:widgets")
WRITER = machine("writer", "read:widgets write:widgets")
SERVICE = machine("service", "admin:users:read admin:permissions:read").model_copy(
    update={"asks_about_all": True}
)
"""The service itself, which asks about tokens, users and permissions."""


class Clients:
    """The registered clients, in memory."""

    def __init__(self, clients: Iterable[Client] = (READER, WRITER, SERVICE)) -> None:
        self._by_id = {client.client_id: client for client in clients}

    def add(self, client: Client) -> bool:
        """Register a client. Returns False if its id is taken."""
        return self._by_id.setdefault(client.client_id, client) is client

    def remove(self, client_id: str) -> bool:
        """Forget a client. Returns whether there was one."""
        return self._by_id.pop(client_id, None) is not None

    def authenticate(self, form: Mapping[str, Sequence[str]]) -> Client:
        """Return the client whose id and secret are in `form`. Raises `OAuthError`."""
        client = self._by_id.get(form.get("client_id", [""])[0])
        secret = form.get("client_secret", [""])[0]
        if client is None or not secrets.compare_digest(
            secret.encode(), client.client_secret.encode()
        ):
            raise OAuthError("invalid_client")
        return client
