"""What this service uses of the client, beside the local provider on a real socket.

These tests use the import name and what is documented about it. So they say whether the vendor's
package fits when it takes the place of the folder `avnology_id`.
"""

import json
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from avnology_id import AsyncAvnologyId, errors

from dev.environment import HOST
from dev.processes import listen, serving
from dev.provider import ANNA, BERT, Provider

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def platform() -> Provider:
    return Provider()


@pytest.fixture(scope="module")
def url(platform: Provider) -> Iterator[str]:
    """Return the base URL of the running provider."""
    listener = listen(0, "")
    port = listener.getsockname()[1]
    with serving(platform, listener):
        yield f"http://{HOST}:{port}"


def connect(url: str, secret: str = "service-secret") -> AsyncAvnologyId:
    """Return a client, made of what is documented and nothing else."""
    return AsyncAvnologyId(base_url=url, client_id="service", client_secret=secret)


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncAvnologyId]:
    client = connect(url)
    yield client
    await client.close()


async def test_active_token(client: AsyncAvnologyId, platform: Provider) -> None:
    """`raw` is not documented: `app/auth/verifier.py` judges every claim of it."""
    result = await client.oauth.introspect_token(token=platform.issue(subject=ANNA))

    assert (result.active, result.sub, result.org_id) == (True, ANNA, "org_7a2b3c4d")
    assert result.scope == "read:widgets write:widgets"
    assert result.exp is not None
    assert result.exp - time.time() == pytest.approx(3600, abs=30)
    assert json.loads(result.raw)["client_id"] == "writer"


async def test_inactive_token_is_no_error(client: AsyncAvnologyId, platform: Provider) -> None:
    revoked = platform.issue()
    platform.revoke(revoked)

    for token in ("unknown", "a&b=c/?#", revoked):
        result = await client.oauth.introspect_token(token=token)

        assert result.active is False
        assert (result.sub, result.org_id, result.scope.split()) == (None, None, [])


async def test_token_for_the_client_itself(client: AsyncAvnologyId) -> None:
    token = await client.oauth.client_credentials(scopes=["admin:users:read"])

    assert (await client.oauth.introspect_token(token=token.access_token)).sub == "service"
    assert token.expires_in == 3600
    assert token.expires_at.timestamp() > time.time()


PERMISSIONS = [(ANNA, "editor", True), (BERT, "editor", False), (BERT, "viewer", True)]


async def test_user_has_a_name_and_an_address(client: AsyncAvnologyId) -> None:
    user = await client.admin.get_user(user_id=ANNA)

    assert (user.name, user.email) == ("Anna Example", "anna@example.org")


@pytest.mark.parametrize(("user", "relation", "allowed"), PERMISSIONS)
async def test_permission_is_true_or_false(
    client: AsyncAvnologyId, user: str, relation: str, allowed: bool
) -> None:
    subject = f"user:{user}"
    outcome = await client.permissions.check(
        subject=subject, relation=relation, object="project:apollo"
    )

    assert outcome is allowed


@pytest.mark.parametrize("user_id", ["usr_unknown", "../oauth2/token", "a b", "%2e%2e", "a?b", ""])
async def test_unknown_user_is_an_error(client: AsyncAvnologyId, user_id: str) -> None:
    with pytest.raises(errors.NotFoundError):
        await client.admin.get_user(user_id=user_id)


OTHER_TUPLES = ["", "user", "user:", ":a", "user:a:b", "user:a#b", "user:a@b", "user:a\n"]


@pytest.mark.parametrize("name", [*OTHER_TUPLES, "user:\ud800", "user:" + "x" * 257])
async def test_other_tuple_is_an_error(client: AsyncAvnologyId, name: str) -> None:
    """`app/auth/permissions.py` leaves it to the client that an id changes no tuple."""
    for subject, target in ((name, "project:a"), ("user:a", name)):
        with pytest.raises(errors.ValidationError) as refusal:
            await client.permissions.check(subject=subject, relation="editor", object=target)

        assert refusal.value.code == ("invalid_object" if target is name else "invalid_subject")


async def test_wrong_credentials_are_an_error(url: str) -> None:
    client = connect(url, secret="wrong-one")
    for call in (
        client.oauth.introspect_token(token="x"),
        client.oauth.client_credentials(scopes=["admin:users:read"]),
        client.admin.get_user(user_id=ANNA),
        client.permissions.check(subject="user:a", relation="editor", object="project:b"),
    ):
        with pytest.raises(errors.OAuthError) as refusal:
            await call

        assert (refusal.value.code, refusal.value.status_code) == ("invalid_client", 401)
    await client.close()


async def test_no_platform_is_an_error() -> None:
    client = connect(f"http://{HOST}:1")
    with pytest.raises(errors.AvnologyIdError) as failure:
        await client.oauth.introspect_token(token="x")
    await client.close()
    await client.close()

    assert failure.value.status_code is None


def test_errors_have_one_base() -> None:
    """What `app/auth/verifier.py` catches, and what the service tells apart."""
    for name in ("OAuth", "NotFound", "Validation", "RateLimit"):
        assert issubclass(getattr(errors, f"{name}Error"), errors.AvnologyIdError)
