"""The endpoints of the local identity provider for clients."""

import anyio
import httpx
import pytest

from dev.oauth import ABSENT
from dev.provider import Provider

Pair = tuple[str, str]
WRITER = ("writer", "writer-secret")
MACHINE = {"grant_type": "client_credentials"}


def post(provider: Provider, path: str, auth: Pair, form: dict[str, str]) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(provider)
        async with httpx.AsyncClient(transport=transport, base_url="http://provider") as client:
            return await client.post(path, auth=auth, data=form)

    return anyio.run(send)


def test_client_gets_a_token(provider: Provider) -> None:
    form = {**MACHINE, "scope": "read:widgets", "audience": "https://widgets.example"}
    response = post(provider, "/oauth2/token", WRITER, form).json()
    token = provider.find(response.pop("access_token"))

    assert response == {"token_type": "bearer", "expires_in": 3600, "scope": "read:widgets"}
    assert token is not None
    assert token.claims["sub"] == "writer"


REFUSED = {
    "unknown client": (("other", "other-secret"), MACHINE, 401, "invalid_client"),
    "wrong secret": (("writer", "wrong"), MACHINE, 401, "invalid_client"),
    "foreign scope": (WRITER, {**MACHINE, "scope": "admin"}, 400, "invalid_scope"),
    "foreign audience": (WRITER, {**MACHINE, "audience": "billing"}, 400, "invalid_request"),
    "unknown grant": (WRITER, {"grant_type": "password"}, 400, "unsupported_grant_type"),
}


@pytest.mark.parametrize(("auth", "form", "status", "error"), REFUSED.values(), ids=REFUSED)
def test_wrong_request(
    provider: Provider, auth: Pair, form: dict[str, str], status: int, error: str
) -> None:
    response = post(provider, "/oauth2/token", auth, form)

    assert (response.status_code, response.json()) == (status, {"error": error})


def test_only_its_client_revokes_a_token(provider: Provider) -> None:
    """The response to another client is the same."""
    token = provider.issue(client_id="writer")
    for client, known in ("reader", True), ("writer", False):
        response = post(provider, "/oauth2/revoke", (client, f"{client}-secret"), {"token": token})

        assert (response.status_code, response.content) == (200, b"")
        assert (provider.find(token) is not None) is known


def test_claims_replace_add_and_take_away(provider: Provider) -> None:
    token = provider.find(provider.issue(iat="soon", tenant=7, sub=ABSENT))

    assert token is not None
    assert (token.claims["iat"], token.claims["tenant"]) == ("soon", 7)
    assert "sub" not in token.claims
