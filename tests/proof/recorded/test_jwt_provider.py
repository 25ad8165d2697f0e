"""The local provider's keys and tokens have the shapes that were recorded."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from jose import jws

from dev.provider import Provider

EXCHANGES: dict[str, Any] = {
    exchange["name"]: exchange["response"]["body"]
    for exchange in json.loads(Path(__file__).with_name("jwt.json").read_text())["exchanges"]
}


def get(provider: Provider, path: str) -> Any:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(provider)
        async with httpx.AsyncClient(transport=transport, base_url="http://provider") as client:
            return await client.get(path)

    return asyncio.run(send()).json()


def types(document: dict[str, Any]) -> dict[str, type]:
    return {key: type(value) for key, value in document.items()}


def test_keys_have_that_shape(provider: Provider) -> None:
    """The newest of the set signs, and older ones stay."""
    provider.rotate()
    recorded = EXCHANGES["jwks-first"]["keys"][0]
    keys = get(provider, "/.well-known/jwks.json")["keys"]

    assert [types(key) for key in keys] == [types(recorded)] * 2
    assert [(key["use"], key["kty"], key["alg"]) for key in keys] == [("sig", "RSA", "RS256")] * 2


def test_tokens_have_that_shape(provider: Provider) -> None:
    recorded, token = EXCHANGES["token-jwt"]["access_token"], provider.issue()
    claims, seen = (json.loads(jws.get_unverified_claims(each)) for each in (recorded, token))

    assert types(jws.get_unverified_header(token)) == types(jws.get_unverified_header(recorded))
    assert types(seen) == types(claims)
    for claim in ("exp", "nbf"):
        assert seen[claim] - seen["iat"] == claims[claim] - claims["iat"]


@pytest.mark.parametrize("member", ["issuer", "token_endpoint", "jwks_uri"])
def test_discovery_names_the_same_places(provider: Provider, member: str) -> None:
    seen = get(provider, "/.well-known/openid-configuration")

    assert seen[member] == EXCHANGES["discovery"][member]
