"""The service as a process, beside a provider that is one too: the local one, or a real Hydra.

Set `HYDRA_PUBLIC_URL` and `HYDRA_ADMIN_URL` for the latter. The suite registers clients of its own
there, and deletes them.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from dev.environment import Endpoints
from dev.processes import free_ports, provider_command, running, wait_until_up
from tests.callers import bearer
from tests.end_to_end import Machine, machine, poll, service

HYDRA = [os.environ.get(f"HYDRA_{name}_URL", "").rstrip("/") for name in ("PUBLIC", "ADMIN")]
NO_HYDRA = pytest.mark.skip("no real Hydra: HYDRA_PUBLIC_URL and HYDRA_ADMIN_URL are not set")


@pytest.fixture(
    scope="module",
    params=["dev", pytest.param("hydra", marks=() if all(HYDRA) else NO_HYDRA)],
)
def endpoints(request: pytest.FixtureRequest) -> Iterator[Endpoints]:
    """Return where the provider listens."""
    if request.param == "hydra":
        discovery = httpx.get(f"{HYDRA[0]}/.well-known/openid-configuration", trust_env=False)
        yield Endpoints(HYDRA[0], HYDRA[1], discovery.json()["issuer"])
        return
    public_port, admin_port = free_ports(2)
    local = Endpoints.local(public_port, admin_port)
    with running(provider_command(public_port, admin_port)) as process:
        wait_until_up(process, f"{local.public}/health/ready")
        yield local


@pytest.fixture(scope="module")
def caller(
    endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """Return a caller of the running service."""
    with service(endpoints, tmp_path_factory.mktemp("service")) as running_service:
        yield running_service


@pytest.fixture
def registered(endpoints: Endpoints) -> Iterator[Machine]:
    """Return a machine whose tokens live as long as the provider lets them."""
    with machine(endpoints) as client:
        yield client


def test_the_service_is_ready(caller: httpx.Client) -> None:
    """Readiness is a question that the provider answered."""
    assert caller.get("/health/ready").json() == {"status": "ok"}


def test_a_token_for_this_service_is_let_in(caller: httpx.Client, registered: Machine) -> None:
    """A machine's token stands for the client itself."""
    response = caller.get("/widgets", headers=bearer(registered.token()))

    assert response.status_code == 200
    assert response.json()["user"] == registered.id


def test_a_token_with_the_scope_may_write(caller: httpx.Client, registered: Machine) -> None:
    """What was created can be deleted, once."""
    headers = bearer(registered.token())

    created = caller.post("/widgets", headers=headers, json={"name": "lever"})
    path = f"/widgets/{created.json()['id']}"
    deletions = [caller.delete(path, headers=headers).status_code for _ in range(2)]

    assert created.status_code == 201
    assert deletions == [204, 404]


def test_a_token_without_audience_is_refused(caller: httpx.Client, registered: Machine) -> None:
    """A client that does not say whom a token is for gets one that is for nobody."""
    response = caller.get("/widgets", headers=bearer(registered.token(audience="")))

    assert_invalid_token(response)


def test_a_missing_scope_is_named(caller: httpx.Client, registered: Machine) -> None:
    """The token is fine, so the caller learns which right it has to ask for."""
    headers = bearer(registered.token(scope="read:widgets"))

    response = caller.post("/widgets", headers=headers, json={"name": "lever"})

    assert response.status_code == 403
    assert response.headers["www-authenticate"].endswith(
        'error="insufficient_scope", scope="write:widgets"'
    )


def test_a_revoked_token_is_refused(caller: httpx.Client, registered: Machine) -> None:
    """A revocation shows at the next call."""
    token = registered.token()
    before = caller.get("/widgets", headers=bearer(token))

    registered.revoke(token)
    after = caller.get("/widgets", headers=bearer(token))

    assert before.status_code == 200
    assert_invalid_token(after)


def test_an_expired_token_is_refused(caller: httpx.Client, endpoints: Endpoints) -> None:
    """A token lives as long as its client is registered for, here a second."""
    with machine(endpoints, lifespan="1s") as short_lived:
        headers = bearer(short_lived.token())

        response = poll(lambda: caller.get("/widgets", headers=headers), 401)

    assert_invalid_token(response)


@pytest.mark.parametrize("token", ["garbage", "ory_at_" + "a" * 43 + "." + "a" * 43])
def test_garbage_is_refused(caller: httpx.Client, token: str) -> None:
    """What nobody issued is nobody's, whatever it looks like."""
    assert_invalid_token(caller.get("/widgets", headers=bearer(token)))


def test_tokens_of_a_deleted_client_are_refused(caller: httpx.Client, registered: Machine) -> None:
    """Deleting a client locks it out at once, tokens and all."""
    token = registered.token()
    before = caller.get("/widgets", headers=bearer(token))

    registered.delete()
    after = caller.get("/widgets", headers=bearer(token))

    assert before.status_code == 200
    assert_invalid_token(after)


def test_the_public_listener_is_the_wrong_one(
    endpoints: Endpoints, registered: Machine, tmp_path: Path
) -> None:
    """A mistake in our settings says nothing about the token, so it is no 401."""
    wrong = replace(endpoints, admin=endpoints.public)
    with service(wrong, tmp_path) as caller:
        response = caller.get("/widgets", headers=bearer(registered.token()))
        ready = caller.get("/health/ready")

    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert "www-authenticate" not in response.headers
    assert ready.status_code == 503


def assert_invalid_token(response: httpx.Response) -> None:
    """Check that the caller is told to get another token, and nothing else."""
    assert response.status_code == 401
    assert response.headers["www-authenticate"].endswith(', error="invalid_token"')
    assert response.json() == {"detail": "Invalid or expired token"}
