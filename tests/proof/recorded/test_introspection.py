"""The service's status for each recorded introspection; the local provider has the same shapes."""

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from dev.environment import AUDIENCE
from dev.provider import Provider
from tests.callers import Clock, bearer
from tests.conftest import Start

EXCHANGES: dict[str, dict[str, Any]] = {
    exchange["name"]: exchange
    for exchange in json.loads(Path(__file__).with_name("introspection.json").read_text())[
        "exchanges"
    ]
}
ACTIVE = "introspect-active-machine"
INTROSPECTIONS = {
    name: exchange["response"]
    for name, exchange in EXCHANGES.items()
    if name.startswith("introspect-")
}
ACCEPTED = {
    name
    for name, response in INTROSPECTIONS.items()
    if isinstance(response["body"], dict)
    and response["body"].get("token_use") == "access_token"
    and response["body"]["aud"] == [AUDIENCE]
}


def expected_status(name: str) -> int:
    """Return the status of a request whose token has that introspection."""
    return 200 if name in ACCEPTED else 401 if INTROSPECTIONS[name]["status"] == 200 else 503


@pytest.mark.parametrize("name", INTROSPECTIONS)
def test_service_decides_by_the_recorded_response(start: Start, clock: Clock, name: str) -> None:
    """Inactive, another audience, a refresh token: 401. No introspection at all: 503."""
    response = INTROSPECTIONS[name]
    clock.now = EXCHANGES[ACTIVE]["response"]["body"]["iat"] + 5
    body, headers = response["body"], {"Content-Type": response["headers"]["content-type"]}
    content = json.dumps(body) if isinstance(body, dict) else body
    transport = httpx.MockTransport(
        lambda _: httpx.Response(response["status"], headers=headers, content=content)
    )
    client: TestClient = start(transport)

    assert client.get("/widgets", headers=bearer("opaque")).status_code == expected_status(name)


def test_recording_has_every_kind() -> None:
    assert {expected_status(name) for name in INTROSPECTIONS} == {200, 401, 503}


def post(provider: Provider, path: str, form: Mapping[str, str]) -> Any:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(provider)
        async with httpx.AsyncClient(transport=transport, base_url="http://provider") as client:
            return await client.post(path, data=dict(form), auth=("reader", "reader-secret"))

    return asyncio.run(send()).json()


def introspect(provider: Provider, token: str) -> Any:
    return post(provider, "/admin/oauth2/introspect", {"token": token})


TOKENS: dict[str, Callable[[Provider], str]] = {
    ACTIVE: lambda provider: provider.issue(client_id="reader"),
    "introspect-active-no-audience": lambda provider: provider.issue(audience=()),
    "introspect-active-no-scope": lambda provider: provider.issue(scopes=(), audience=()),
    "introspect-no-prefix": lambda provider: provider.issue().removeprefix("ory_at_"),
    "introspect-garbage": lambda provider: "garbage",
    "introspect-expired": lambda provider: provider.issue(lifetime=0),
}


@pytest.mark.parametrize("name", TOKENS)
def test_local_provider_introspects_in_that_shape(provider: Provider, name: str) -> None:
    """The same claims of the same types; lifetimes are counted in the same way."""
    recorded = INTROSPECTIONS[name]["body"]
    seen = introspect(provider, TOKENS[name](provider))

    assert {key: type(value) for key, value in seen.items()} == {
        key: type(value) for key, value in recorded.items()
    }
    for claim in {"active", "token_type", "token_use"} & recorded.keys():
        assert seen[claim] == recorded[claim]
    for claim in {"exp", "nbf"} & recorded.keys():
        assert seen[claim] - seen["iat"] == recorded[claim] - recorded["iat"]


def test_local_token_response_has_that_shape(provider: Provider) -> None:
    recorded = EXCHANGES["token-opaque"]["response"]["body"]
    form = {"grant_type": "client_credentials", "scope": "read:widgets", "audience": AUDIENCE}
    seen = post(provider, "/oauth2/token", form)

    assert {key: type(value) for key, value in seen.items()} == {
        key: type(value) for key, value in recorded.items()
    }
    assert seen["token_type"] == recorded["token_type"]
