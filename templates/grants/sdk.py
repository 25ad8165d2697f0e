"""What a client gets when it asks for a token, for itself or for a user who has signed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dev.answers import OAuthError
from dev.clients import Client


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token stands for. `lifetime` in seconds."""

    client_id: str
    subject: str
    scopes: tuple[str, ...]
    audience: tuple[str, ...]
    lifetime: float = 3600


def granted(client: Client, form: Mapping[str, Sequence[str]]) -> Grant:
    """Return what `client` is granted for the request in `form`. Raises `OAuthError`."""
    grant_type = form.get("grant_type", [""])[0]
    if grant_type not in client.grant_types:
        raise OAuthError("unauthorized_client")
    subject = client.client_id if grant_type == "client_credentials" else signed_in(form)
    scopes = tuple(form.get("scope", [""])[0].split())
    if not set(client.scope.split()).issuperset(scopes):
        raise OAuthError("invalid_scope")
    audience = tuple(form.get("audience", [""])[0].split())
    if not set(client.audience).issuperset(audience):
        raise OAuthError("invalid_request", "The client may not ask for this audience.")
    return Grant(client.client_id, subject, scopes, audience, client.lifetime)


def signed_in(form: Mapping[str, Sequence[str]]) -> str:
    """Return the user whom a code stands for: here the code is the user's id.

    The platform makes codes on its sign-in page, and wants a `code_verifier` with them.
    """
    code = form.get("code", [""])[0]
    if not code:
        raise OAuthError("invalid_grant")
    return code
