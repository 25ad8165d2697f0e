"""Tokens of a real provider in any mode: accepted, refused, or without a scope."""

import httpx
import pytest

from tests.callers import bearer
from tests.hydra.machines import Endpoints, Machine, assert_invalid_token, machine, poll


def test_the_service_is_ready(caller: httpx.Client) -> None:
    """Readiness includes a successful call to the provider."""
    assert caller.get("/health/ready").json() == {"status": "ok"}


def test_a_token_for_this_service_is_accepted(caller: httpx.Client, registered: Machine) -> None:
    """The subject of a machine's token is the client."""
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
    """A client that names no audience gets a token without one."""
    response = caller.get("/widgets", headers=bearer(registered.token(audience="")))

    assert_invalid_token(response)


def test_a_missing_scope_is_named(caller: httpx.Client, registered: Machine) -> None:
    """The token is valid, so the caller learns which scope it lacks."""
    headers = bearer(registered.token(scope="read:widgets"))

    response = caller.post("/widgets", headers=headers, json={"name": "lever"})

    assert response.status_code == 403
    assert response.headers["www-authenticate"].endswith(
        'error="insufficient_scope", scope="write:widgets"'
    )


def test_an_expired_token_is_refused(caller: httpx.Client, endpoints: Endpoints) -> None:
    """Tokens of this client expire after a second."""
    with machine(endpoints, lifespan="1s") as short_lived:
        headers = bearer(short_lived.token())

        response = poll(lambda: caller.get("/widgets", headers=headers), 401)

    assert_invalid_token(response)


@pytest.mark.parametrize("token", ["garbage", "a" * 94, "ory_rt_" + "a" * 87])
def test_garbage_is_refused(caller: httpx.Client, token: str) -> None:
    """The provider did not issue it."""
    assert_invalid_token(caller.get("/widgets", headers=bearer(token)))
