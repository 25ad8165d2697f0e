"""Tokens that end before they expire, in introspection mode."""

from dataclasses import replace
from pathlib import Path

import httpx

from tests.callers import bearer
from tests.hydra.machines import Endpoints, Machine, assert_invalid_token, service


def test_a_revoked_token_is_refused(caller: httpx.Client, registered: Machine) -> None:
    """At the next request, or with caching at the latest on a route that bypasses the cache."""
    token = registered.token()
    before = caller.delete("/widgets/none", headers=bearer(token))

    registered.revoke(token)
    after = caller.delete("/widgets/none", headers=bearer(token))

    assert before.status_code == 404
    assert_invalid_token(after)


def test_tokens_of_a_deleted_client_are_refused(caller: httpx.Client, registered: Machine) -> None:
    """Deleting a client revokes its tokens."""
    token = registered.token()
    before = caller.delete("/widgets/none", headers=bearer(token))

    registered.delete()
    after = caller.delete("/widgets/none", headers=bearer(token))

    assert before.status_code == 404
    assert_invalid_token(after)


def test_the_public_listener_is_the_wrong_one(
    endpoints: Endpoints, registered: Machine, tmp_path: Path
) -> None:
    """A wrong setting says nothing about the token, so the status is not 401."""
    wrong = replace(endpoints, admin=endpoints.public)
    with service(wrong, tmp_path) as caller:
        response = caller.get("/widgets", headers=bearer(registered.token()))
        ready = caller.get("/health/ready")

    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert "www-authenticate" not in response.headers
    assert ready.status_code == 503
