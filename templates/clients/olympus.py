"""The clients of the provider: who may ask for which tokens, and how they prove who they are."""

import base64
import binascii
import re
import secrets
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import unquote_plus

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from starlette.requests import Request

from dev.answers import OAuthError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def parse_duration(text: object) -> object:
    """Read a duration as Go writes it: `90s`, `1h30m`, `500ms`."""
    if not isinstance(text, str):
        return text
    parts = re.findall(r"(\d+)(ms|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("is not a duration")
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))


def format_duration(duration: timedelta | None) -> str | None:
    """Write a duration as Go does: `1s`, `5m0s`, `1h0m0s`."""
    if duration is None:
        return None
    minutes, seconds = divmod(duration.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    if hours:
        return f"{hours}h{minutes}m{seconds:g}s"
    return f"{minutes}m{seconds:g}s" if minutes else f"{seconds:g}s"


Duration = Annotated[
    timedelta | None, BeforeValidator(parse_duration), PlainSerializer(format_duration)
]


class Client(BaseModel):
    """A client as it is registered. The fields have the names and the order of Hydra's answer."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    client_id: str = Field(default_factory=lambda: str(uuid.uuid4()), min_length=1)
    client_name: str = ""
    client_secret: str = Field(default_factory=secrets.token_urlsafe, min_length=6)
    grant_types: list[str] = ["authorization_code"]
    response_types: list[str] | None = None
    scope: str = ""
    audience: list[str] = []
    redirect_uris: list[str] | None = None
    token_endpoint_auth_method: Literal["client_secret_basic"] = "client_secret_basic"
    subject_type: Literal["public"] = "public"
    client_credentials_grant_access_token_lifespan: Duration = None

    @property
    def lifetime(self) -> float:
        """Seconds that a token of this client lives: an hour unless it is registered otherwise."""
        lifespan = self.client_credentials_grant_access_token_lifespan
        return 3600 if lifespan is None else lifespan.total_seconds()


def machine(name: str, scope: str) -> Client:
    """Return a client of the kind that is there from the start: secret `<name>-secret`."""
    return Client(
        client_id=name,
        client_name=name,
        client_secret=f"{name}-secret",
        grant_types=["client_credentials"],
        scope=scope,
        audience=[AUDIENCE],
    )


AUDIENCE = "https://widgets.example"
"""The service that the first clients may ask tokens for."""
READER = machine("reader", "read:widgets")
WRITER = machine("writer", "read:widgets write:widgets")


class Clients:
    """The registered clients, in memory."""

    def __init__(self, clients: Iterable[Client] = (READER, WRITER)) -> None:
        self._by_id = {client.client_id: client for client in clients}

    def add(self, client: Client) -> bool:
        """Register a client. Returns False if its id is taken."""
        return self._by_id.setdefault(client.client_id, client) is client

    def remove(self, client_id: str) -> bool:
        """Forget a client. Returns whether there was one."""
        return self._by_id.pop(client_id, None) is not None

    def authenticate(self, request: Request) -> Client:
        """Return the client that sends `request`: HTTP Basic, form-encoded (RFC 6749, 2.3.1).

        Raises `OAuthError`.
        """
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        try:
            pair = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, ValueError):
            raise OAuthError("invalid_client") from None
        name, _, secret = pair.partition(":")
        client = self._by_id.get(unquote_plus(name))
        if scheme.lower() != "basic" or client is None:
            raise OAuthError("invalid_client")
        if not secrets.compare_digest(unquote_plus(secret).encode(), client.client_secret.encode()):
            raise OAuthError("invalid_client")
        return client
