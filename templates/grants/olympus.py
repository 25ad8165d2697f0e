"""What a client gets when it asks for a token: the client-credentials grant (RFC 6749, 4.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dev.answers import OAuthError
from dev.clients import Client

GRANT_TYPE = "client_credentials"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token stands for. `lifetime` in seconds."""

    client_id: str
    subject: str
    scopes: tuple[str, ...]
    audience: tuple[str, ...]
    lifetime: float = 3600


def client_credentials(client: Client, form: Mapping[str, Sequence[str]]) -> Grant:
    """Return what `client` is granted for the request in `form`. Raises `OAuthError`."""
    check_grant_type(client, form.get("grant_type", [""])[0])
    scopes = tuple(form.get("scope", [""])[0].split())
    check_scopes(client, scopes)
    audience = _audience(form.get("audience", []))
    check_audience(client, audience)
    return Grant(client.client_id, client.client_id, scopes, audience, client.lifetime)


def check_grant_type(client: Client, grant_type: str) -> None:
    """Refuse a grant that there is not, or that the client may not use."""
    if grant_type != GRANT_TYPE:
        raise OAuthError(
            "invalid_request",
            "Make sure that the various parameters are correct, be aware of case sensitivity and"
            " trim your parameters. Make sure that the client you are using has exactly"
            " whitelisted the redirect_uri you specified.",
        )
    if grant_type not in client.grant_types:
        raise OAuthError("unauthorized_client")


def check_scopes(client: Client, scopes: Sequence[str]) -> None:
    """Refuse a scope that the client is not registered for."""
    for scope in scopes:
        if scope not in client.scope.split():
            raise OAuthError(
                "invalid_scope",
                f"The OAuth 2.0 Client is not allowed to request scope '{scope}'.",
            )


def check_audience(client: Client, audience: Sequence[str]) -> None:
    """Refuse an audience that the client is not registered for. Paths below one are covered."""
    for requested in audience:
        if not any(_covers(allowed, requested) for allowed in client.audience):
            raise OAuthError(
                "invalid_request",
                f"Requested audience '{requested}' has not been whitelisted by the OAuth 2.0"
                " Client.",
            )


def _audience(values: Sequence[str]) -> tuple[str, ...]:
    # several fields, or several values in one, as both are in use
    return tuple(values) if len(values) > 1 else tuple("".join(values).split())


def _covers(allowed: str, requested: str) -> bool:
    return requested == allowed or requested.startswith(allowed.rstrip("/") + "/")
