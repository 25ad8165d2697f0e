"""Revoked tokens and withdrawn keys, in jwt mode.

Tests that depend on the time between fetches of keys use `hurried`, the application with an
accelerated clock.
"""

import base64
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI
from jose import jws

from tests.callers import bearer
from tests.hydra.machines import (
    KEYS,
    Endpoints,
    Machine,
    assert_invalid_token,
    machine,
    poll,
    service,
)

ACCESS_TOKENS = "hydra.jwt.access-token"
SPEED = 60
"""How many times as fast the clock is. A token of an hour expires after a minute."""


def hurried() -> FastAPI:
    """Create the application with an accelerated clock."""
    begin = time.time()
    from app.main import create_app

    return create_app(clock=lambda: begin + (time.time() - begin) * SPEED)


@contextmanager
def hurried_service(provider: Endpoints, folder: Path) -> Iterator[httpx.Client]:
    """Run a service with an accelerated clock, and return a client of it."""
    factory = f"{__name__}:{hurried.__name__}"
    with service(provider, folder, factory, JWT_ALGORITHMS="RS256,ES256") as caller:
        poll(lambda: caller.get("/health/ready"), 200)
        yield caller


class Operator:
    """Changes the keys that access tokens are signed with, by the provider's admin API."""

    def __init__(self, provider: Endpoints) -> None:
        """Prepare to call the admin listener of `provider`."""
        self._url = f"{provider.admin}/admin/keys/{ACCESS_TOKENS}"
        # A real Hydra takes seconds to make a key of 4096 bits.
        self._http = httpx.Client(trust_env=False, timeout=60)
        self._made: list[str] = []

    def rotate(self, algorithm: str = "RS256") -> str:
        """Sign tokens with a new key from now on, and return its id."""
        name = f"end-to-end-{uuid.uuid4()}"
        wanted = {"alg": algorithm, "use": "sig", "kid": name}
        self._http.post(self._url, json=wanted).raise_for_status()
        self._made.append(name)
        return name

    def withdraw(self, name: str) -> None:
        """Delete a key that this test created."""
        self._http.delete(f"{self._url}/{name}").raise_for_status()
        self._made.remove(name)

    def withdraw_all(self) -> None:
        """Delete all keys that this test created, so the provider signs with its own key again."""
        for name in list(self._made):
            self.withdraw(name)
        self._http.close()


@pytest.fixture
def operator(endpoints: Endpoints) -> Iterator[Operator]:
    """Return an operator. Its keys are deleted at the end."""
    person = Operator(endpoints)
    try:
        yield person
    finally:
        person.withdraw_all()


def status(caller: httpx.Client, token: str) -> int:
    """Return the status of a call with `token`."""
    return caller.get("/widgets", headers=bearer(token)).status_code


def test_a_revoked_token_is_accepted_until_it_expires(
    caller: httpx.Client, endpoints: Endpoints
) -> None:
    """The provider is not called, so a revocation has no effect before the token expires."""
    with machine(endpoints, lifespan="3s") as client:
        token = client.token()
        client.revoke(token)
        revoked = status(caller, token)
        expired = poll(lambda: caller.get("/widgets", headers=bearer(token)), 401)

    assert revoked == 200
    assert_invalid_token(expired)


def test_a_token_of_a_deleted_client_is_accepted(caller: httpx.Client, registered: Machine) -> None:
    """A deleted client only gets no new tokens."""
    token = registered.token()
    registered.delete()

    assert status(caller, token) == 200


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_rotation_refuses_no_token(
    endpoints: Endpoints, registered: Machine, operator: Operator, tmp_path: Path, algorithm: str
) -> None:
    """The first token of a new key causes a fetch, and tokens of the old key stay valid."""
    with hurried_service(endpoints, tmp_path) as caller:
        old = registered.token()
        before = status(caller, old)
        name = operator.rotate(algorithm)
        new = registered.token()
        accepted = poll(lambda: caller.get("/widgets", headers=bearer(new)), 200)
        after = status(caller, old)

    assert jws.get_unverified_header(new)["kid"] == name
    assert (before, accepted.status_code, after) == (200, 200, 200)


def test_a_withdrawn_key_is_refused(
    endpoints: Endpoints, registered: Machine, operator: Operator, tmp_path: Path
) -> None:
    """Withdrawing a key ends all of its tokens after the next fetch."""
    leaked = operator.rotate()
    with hurried_service(endpoints, tmp_path) as caller:
        stolen = registered.token()
        before = status(caller, stolen)
        operator.rotate()
        operator.withdraw(leaked)
        new = registered.token()
        accepted = poll(lambda: caller.get("/widgets", headers=bearer(new)), 200)
        refused = poll(lambda: caller.get("/widgets", headers=bearer(stolen)), 401)

    assert (before, accepted.status_code) == (200, 200)
    assert_invalid_token(refused)


def test_a_service_that_starts_later_refuses_the_key(
    endpoints: Endpoints, registered: Machine, operator: Operator, tmp_path: Path
) -> None:
    """Even if its tokens have not expired."""
    leaked = operator.rotate()
    token = registered.token()
    operator.withdraw(leaked)
    with service(endpoints, tmp_path) as caller:
        ready = poll(lambda: caller.get("/health/ready"), 200)
        refused = caller.get("/widgets", headers=bearer(token))

    assert ready.status_code == 200
    assert_invalid_token(refused)


FORGED: dict[str, dict[str, Any]] = {
    "unsigned": {"alg": "none"},
    "another algorithm": {"alg": "RS512"},
    "another key of that name": {},
}


@pytest.mark.parametrize("header", FORGED.values(), ids=FORGED)
def test_a_forged_token_is_refused(
    caller: httpx.Client, registered: Machine, header: dict[str, Any]
) -> None:
    """The claims of a real token, signed with another key."""
    token = registered.token()
    claims = json.loads(jws.get_unverified_claims(token))
    key = rsa.generate_private_key(65_537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    fields = {"kid": jws.get_unverified_header(token)["kid"]}
    algorithm = header.get("alg", "RS256")
    forged = jws.sign(claims, pem, fields, "RS256" if algorithm == "none" else algorithm)
    if algorithm == "none":
        unsigned = base64.urlsafe_b64encode(json.dumps({**fields, **header}).encode())
        forged = f"{unsigned.rstrip(b'=').decode()}.{forged.split('.')[1]}."
    response = caller.get("/widgets", headers=bearer(forged))

    assert status(caller, token) == 200
    assert_invalid_token(response)


def test_the_admin_listener_is_the_wrong_one(
    endpoints: Endpoints, registered: Machine, tmp_path: Path
) -> None:
    """It has no keys. A wrong setting says nothing about the token, so the status is not 401."""
    with service(endpoints, tmp_path, OLYMPUS_JWKS_URL=endpoints.admin + KEYS) as caller:
        response = caller.get("/widgets", headers=bearer(registered.token()))
        ready = caller.get("/health/ready")
        live = caller.get("/health/live")

    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert "www-authenticate" not in response.headers
    assert (ready.status_code, live.status_code) == (503, 200)
