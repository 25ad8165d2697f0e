"""Calls over plain HTTP, as a client of the provider and a caller of the service make them."""

import base64
import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import quote_plus, urlencode, urlsplit

from dev.answers import FORM
from dev.clients import AUDIENCE, Client

TIMEOUT = 10
"""Seconds for one call."""


class CallFailed(Exception):
    """A call did not have the outcome that is needed to go on. The text is for people."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer."""

    status: int
    headers: Message
    body: bytes

    def document(self) -> Mapping[str, object]:
        """Return the JSON object in the body, an empty one where there is none."""
        try:
            document: object = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


def send(
    method: str, url: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
) -> Reply:
    """Send a request exactly as given: the same header may come twice. Raises `CallFailed`."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    try:
        connection.putrequest(method, parts._replace(scheme="", netloc="").geturl())
        for name, value in headers:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    except (OSError, http.client.HTTPException) as error:
        # `from None`: what was sent, a token with it, stays out of the text
        raise CallFailed(f"No answer at http://{parts.netloc} ({type(error).__name__}).") from None
    finally:
        connection.close()


def fetch_token(
    public_url: str, client: Client, scope: str | None = None, audience: str = AUDIENCE
) -> str:
    """Get a token for `client` by its own credentials, with all its scopes or those in `scope`.

    Raises `CallFailed`.
    """
    form = {"grant_type": "client_credentials", "scope": client.scope if scope is None else scope}
    if audience:
        form["audience"] = audience
    reply = _post_form(public_url + "/oauth2/token", client, form)
    document = reply.document()
    if reply.status != 200:
        raise CallFailed(f"The provider gives no token: {document.get('error_description')}")
    return str(document["access_token"])


def revoke_token(public_url: str, client: Client, token: str) -> None:
    """End a token of `client`. Raises `CallFailed`."""
    reply = _post_form(public_url + "/oauth2/revoke", client, {"token": token})
    if reply.status != 200:
        raise CallFailed(f"The provider does not revoke: status {reply.status}")


def register(admin_url: str, client: Client) -> Client:
    """Register `client` and return it. Raises `CallFailed`."""
    headers = [("Content-Type", "application/json")]
    body = client.model_dump_json().encode()
    reply = send("POST", admin_url + "/admin/clients", headers, body)
    if reply.status != 201:
        raise CallFailed(f"The provider does not register a client: status {reply.status}")
    return client


def _post_form(url: str, client: Client, form: Mapping[str, str]) -> Reply:
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"
    credentials = base64.b64encode(pair.encode()).decode()
    headers = [("Authorization", f"Basic {credentials}"), ("Content-Type", FORM)]
    return send("POST", url, headers, urlencode(form).encode())
