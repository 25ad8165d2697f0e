"""Recorded tokens of Hydra v26.2.0, at the time they were issued, with the keys of that time."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from tests.callers import Clock, bearer
from tests.conftest import Start

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("jwt_tokens.json").read_text())
ID_TOKENS = {name for name in RECORDED if name.startswith("id-token")}


def at_the_time(start: Start, clock: Clock, name: str, **variables: str) -> TestClient:
    """Start the service at the time the token was issued, with the keys of that time."""
    record = RECORDED[name]
    clock.now = record["issued_at"]
    keys = httpx.MockTransport(lambda _: httpx.Response(200, json=record["jwks"]))
    return start(
        keys, None, OLYMPUS_ISSUER=record["issuer"], JWT_ALGORITHMS="RS256,ES256", **variables
    )


@pytest.mark.parametrize("name", RECORDED)
def test_an_access_token_of_hydra_is_accepted_and_an_id_token_is_not(
    start: Start, clock: Clock, name: str
) -> None:
    """They have the same issuer, the same keys and the same `typ`."""
    client = at_the_time(start, clock, name, AUDIENCE="", ACCEPT_ANY_AUDIENCE="true")
    response = client.get("/widgets", headers=bearer(RECORDED[name]["token"]))

    if name in ID_TOKENS:
        assert response.status_code == 401
    else:
        assert response.json()["user"] == RECORDED[name]["claims"]["sub"]


@pytest.mark.parametrize(("name", "status"), [("rs256", 200), ("rs256-no-audience", 401)])
def test_the_audience_is_checked(start: Start, clock: Clock, name: str, status: int) -> None:
    """A token without an audience is refused."""
    client = at_the_time(start, clock, name)
    response = client.get("/widgets", headers=bearer(RECORDED[name]["token"]))

    assert response.status_code == status


def test_an_expired_token_is_refused(start: Start, clock: Clock) -> None:
    client = at_the_time(start, clock, "rs256")
    clock.now = RECORDED["rs256"]["expires_at"] + 10

    assert client.get("/widgets", headers=bearer(RECORDED["rs256"]["token"])).status_code == 401
