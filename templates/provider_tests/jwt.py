"""The local provider answers as a real Hydra did: `fixtures/hydra.json` holds what one said."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from jose import jws
from starlette.applications import Starlette

from dev.provider import Provider
from tests.callers import Clock

RECORDING: dict[str, Any] = json.loads(
    Path(__file__).with_name("fixtures").joinpath("hydra.json").read_text(encoding="utf-8")
)
EXCHANGES: dict[str, dict[str, Any]] = {
    exchange["name"]: exchange for exchange in RECORDING["exchanges"]
}
HEADERS = (
    "allow",
    "cache-control",
    "content-type",
    "location",
    "pragma",
    "www-authenticate",
    "x-content-type-options",
)
NUMBERS = ("n", "x", "y", "jti")
"""Fields that are random text. The numbers of a real Hydra's RSA keys are longer."""
NOT_SHOWN = "access_token_strategy"
"""A field of a registration: this provider gives signed tokens to every client."""


async def replay() -> dict[str, httpx.Response]:
    """Make the recorded calls at a fresh provider, and return the answers by name."""
    provider = Provider(issuer=RECORDING["issuer"], clock=Clock())
    recorded = EXCHANGES["jwks-first"]["response"]["body"]["keys"]
    for keys, key in zip(provider.tokens.keys.values(), recorded, strict=True):
        keys[0].key_id = key["kid"]
    async with caller(provider.public) as public, caller(provider.admin) as admin:
        listeners = {"{public}": public, "{admin}": admin}
        answers = {}
        for name, exchange in EXCHANGES.items():
            request = exchange["request"]
            listener, _, path = request["path"].partition("/")
            answers[name] = await listeners[listener].request(
                request["method"],
                "/" + path,
                headers=request["headers"],
                content=request["body"],
            )
        return answers


def caller(listener: Starlette) -> httpx.AsyncClient:
    """Return a client that calls `listener` in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(listener), base_url="http://provider")


def comparable(status: int, headers: Mapping[str, str], body: object) -> dict[str, object]:
    """Return what must be equal: all of an answer but times and random text.

    The body is text, as the order of its fields counts.
    """
    if isinstance(body, dict):
        body = json.dumps(shape("", body), indent=1)
    elif isinstance(body, str) and body.startswith("<!DOCTYPE html>"):
        body = "a page"
    return {"status": status, **{name: headers.get(name) for name in HEADERS}, "body": body}


def shape(name: str, value: Any, issued_at: int = 0) -> object:
    """Return a part of a document with all that two providers cannot have in common replaced."""
    if isinstance(value, dict):
        then = value.get("iat", 0)
        return {key: shape(key, value[key], then) for key in value if key != NOT_SHOWN}
    if isinstance(value, list):
        return [shape(name, item) for item in value]
    if name == "access_token":
        header, claims = jws.get_unverified_header(value), jws.get_unverified_claims(value)
        return [shape("", header), shape("", json.loads(claims)), value.count(".")]
    if name in ("exp", "nbf"):
        return f"iat + {value - issued_at}"
    return type(value).__name__ if name in ("iat", *NUMBERS) else value


@pytest.fixture(scope="module")
def answers() -> dict[str, httpx.Response]:
    """Return what the local provider says to the recorded calls, made in their order."""
    return asyncio.run(replay())


@pytest.mark.parametrize("name", EXCHANGES)
def test_the_answer_is_hydras(answers: dict[str, httpx.Response], name: str) -> None:
    """Status, headers, fields, their order and values are those of the recording."""
    answer, recorded = answers[name], EXCHANGES[name]["response"]
    is_json = "application/json" in answer.headers.get("content-type", "")
    body = answer.json() if is_json else answer.text
    recorded_body = recorded["body"]
    if name.startswith("discovery"):
        # The provider does less than Hydra, and nothing that Hydra does not.
        recorded_body = {key: less(value, body[key]) for key, value in recorded_body.items()}
    if name.startswith("rotate"):
        body = recorded_body = "keys: Hydra's are private"

    seen = comparable(answer.status_code, answer.headers, body)

    assert seen == comparable(recorded["status"], recorded["headers"], recorded_body)


def less(recorded: object, answered: object) -> object:
    """Return a recorded list without what the answer does not name."""
    if isinstance(recorded, list) and isinstance(answered, list):
        return [item for item in recorded if item in answered]
    return recorded
