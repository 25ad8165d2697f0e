"""What becomes of tokens that die before their time, and of users and their permissions."""

from pathlib import Path

import httpx
import pytest

from dev.directory import ANNA, BERT
from dev.environment import Endpoints
from tests.callers import bearer
from tests.end_to_end.machines import Machine, assert_invalid_token, service


def test_a_revoked_token_is_refused(caller: httpx.Client, registered: Machine) -> None:
    """A revocation shows at the next call, at the latest where it would do harm."""
    token = registered.token()
    before = caller.delete("/widgets/none", headers=bearer(token))

    registered.revoke(token)
    after = caller.delete("/widgets/none", headers=bearer(token))

    assert before.status_code == 404
    assert_invalid_token(after)


def test_tokens_of_a_deleted_client_are_refused(caller: httpx.Client, registered: Machine) -> None:
    """Deleting a client locks it out, tokens and all."""
    token = registered.token()
    before = caller.delete("/widgets/none", headers=bearer(token))

    registered.delete()
    after = caller.delete("/widgets/none", headers=bearer(token))

    assert before.status_code == 404
    assert_invalid_token(after)


@pytest.mark.parametrize("wrong", ["AVNOLOGY_CLIENT_ID", "AVNOLOGY_CLIENT_SECRET"])
def test_wrong_credentials_of_ours_are_no_fault_of_the_caller(
    endpoints: Endpoints, registered: Machine, tmp_path: Path, wrong: str
) -> None:
    """A mistake in our settings says nothing about the token, so it is no 401."""
    with service(endpoints, tmp_path, **{wrong: "wrong-one"}) as caller:
        response = caller.get("/widgets", headers=bearer(registered.token()))
        ready = caller.get("/health/ready")

    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert "www-authenticate" not in response.headers
    assert ready.json()["missing"] == ["identity provider", "credentials that it accepts"]


def test_a_client_that_may_not_ask_sees_nothing(
    endpoints: Endpoints, registered: Machine, tmp_path: Path
) -> None:
    """The tokens of other clients are inactive to it, however good they are."""
    own = {"AVNOLOGY_CLIENT_ID": "reader", "AVNOLOGY_CLIENT_SECRET": "reader-secret"}
    with service(endpoints, tmp_path, **own) as caller:
        response = caller.get("/widgets", headers=bearer(registered.token()))

    assert_invalid_token(response)


def test_a_user_has_a_profile(caller: httpx.Client, registered: Machine) -> None:
    """The service fetches it with a token of its own."""
    response = caller.get("/api/profile", headers=bearer(registered.token(user=ANNA)))

    assert response.json() == {"email": "anna@example.org", "name": "Anna Example"}


@pytest.mark.parametrize(("user", "status"), [(ANNA, 200), (BERT, 403)])
def test_a_permission_decides(
    caller: httpx.Client, registered: Machine, user: str, status: int
) -> None:
    """Both users may look at the project, one may change it."""
    headers = bearer(registered.token(user=user))

    assert caller.put("/api/projects/apollo", headers=headers).status_code == status
