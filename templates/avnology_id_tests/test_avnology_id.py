"""The client as the vendor's FastAPI guide uses it, beside the local provider on a real socket.

Written against the import name and what is documented about it, so that these tests say whether the
vendor's package fits when it takes the place of the folder `avnology_id`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

import pytest
from avnology_id import AsyncAvnologyId, errors
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.testclient import TestClient

from dev.environment import HOST
from dev.processes import listen, serving
from dev.provider import ANNA, BERT, Provider
from tests.callers import bearer

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


def guides_service(client: AsyncAvnologyId) -> FastAPI:
    """Return a service that uses the client as the guide does: user, profile, permission."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await client.close()

    app = FastAPI(lifespan=lifespan)

    async def current_user(
        credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
    ) -> dict[str, Any]:
        result = await client.oauth.introspect_token(token=credentials.credentials)
        if not result.active:
            raise HTTPException(401, "Invalid or expired token")
        return {"user_id": result.sub, "scopes": result.scope.split(), "org_id": result.org_id}

    user_dependency = Depends(current_user)

    def require_permission(
        relation: str, object_fn: Callable[[Request], str]
    ) -> Callable[..., Awaitable[dict[str, Any]]]:
        async def check(request: Request, user: dict[str, Any] = user_dependency) -> dict[str, Any]:
            allowed = await client.permissions.check(
                subject=f"user:{user['user_id']}", relation=relation, object=object_fn(request)
            )
            if not allowed:
                raise HTTPException(403, "Permission denied")
            return user

        return check

    @app.get("/me")
    async def me(user: dict[str, Any] = user_dependency) -> dict[str, Any]:
        return user

    @app.get("/api/profile")
    async def profile(user: dict[str, Any] = user_dependency) -> dict[str, Any]:
        full_user = await client.admin.get_user(user_id=user["user_id"])
        return {"email": full_user.email, "name": full_user.name}

    editor = Depends(require_permission("editor", lambda r: f"project:{r.path_params['name']}"))

    @app.put("/api/projects/{name}", dependencies=[editor])
    async def project(name: str) -> dict[str, bool]:
        return {"updated": True}

    return app


def test_the_guides_service_works(platform: Provider, url: str) -> None:
    anna, bert = (bearer(platform.issue(subject=user)) for user in (ANNA, BERT))
    with TestClient(guides_service(connect(url))) as caller:
        answers = [
            caller.get("/me", headers=anna),
            caller.get("/api/profile", headers=anna),
            caller.put("/api/projects/apollo", headers=anna),
            caller.put("/api/projects/apollo", headers=bert),
            caller.get("/me", headers=bearer("unknown")),
        ]

    assert [answer.json() for answer in answers] == [
        {
            "user_id": ANNA,
            "scopes": ["read:widgets", "write:widgets"],
            "org_id": "org_7a2b3c4d",
        },
        {"email": "anna@example.org", "name": "Anna Example"},
        {"updated": True},
        {"detail": "Permission denied"},
        {"detail": "Invalid or expired token"},
    ]


async def test_an_active_token_is_described(client: AsyncAvnologyId, platform: Provider) -> None:
    result = await client.oauth.introspect_token(token=platform.issue(subject=ANNA))

    assert result.active is True
    assert (result.sub, result.client_id, result.iss) == (ANNA, "writer", result.iss)
    assert result.scope == "read:widgets write:widgets"
    assert list(result.aud) == ["https://widgets.example"]
    assert (result.token_type, result.org_id) == ("Bearer", "org_7a2b3c4d")
    assert result.exp is not None
    assert result.iat is not None
    assert result.exp - result.iat == 3600


async def test_an_inactive_token_is_no_error(client: AsyncAvnologyId, platform: Provider) -> None:
    """And what is not known of it does not break who reads it."""
    revoked = platform.issue()
    platform.revoke(revoked)

    for token in ("unknown", "a&b=c/?#", revoked):
        result = await client.oauth.introspect_token(token=token)

        assert result.active is False
        assert (result.sub, result.org_id, result.scope.split()) == (None, None, [])


async def test_a_client_gets_a_token_for_itself(client: AsyncAvnologyId) -> None:
    token = await client.oauth.client_credentials(scopes=["admin:users:read"])

    assert (await client.oauth.introspect_token(token=token.access_token)).sub == "service"
    assert token.expires_in == 3600
    assert isinstance(token.expires_at, datetime)
    assert token.expires_at.timestamp() > datetime.now().timestamp()


async def test_a_user_is_found(client: AsyncAvnologyId) -> None:
    user = await client.admin.get_user(user_id=ANNA)

    assert (user.id, user.email, user.name) == (ANNA, "anna@example.org", "Anna Example")


@pytest.mark.parametrize("user_id", ["usr_nobody", "../oauth2/token", "a b", "ü", "%2e%2e", "a?b"])
async def test_an_unknown_user_is_an_error(client: AsyncAvnologyId, user_id: str) -> None:
    """Whatever the id is made of, nothing else is asked for."""
    with pytest.raises(errors.NotFoundError) as refusal:
        await client.admin.get_user(user_id=user_id)

    error = refusal.value
    assert (error.code, error.status_code) == ("AVNOLOGY_AUTH_901", 404)
    assert error.message == "Identity not found"
    assert error.request_id is not None
    assert error.details == {}


@pytest.mark.parametrize(
    ("subject", "relation", "target", "allowed"),
    [
        (ANNA, "editor", "apollo", True),
        (BERT, "editor", "apollo", False),
        (BERT, "viewer", "apollo", True),
        (ANNA, "editor", "gemini", False),
    ],
)
async def test_a_permission_is_a_yes_or_a_no(
    client: AsyncAvnologyId, subject: str, relation: str, target: str, allowed: bool
) -> None:
    answer = await client.permissions.check(
        subject=f"user:{subject}", relation=relation, object=f"project:{target}"
    )

    assert answer is allowed


async def test_wrong_credentials_are_an_error(url: str) -> None:
    client = connect(url, secret="wrong-one")
    calls = [
        client.oauth.introspect_token(token="x"),
        client.oauth.client_credentials(scopes=["admin:users:read"]),
        client.admin.get_user(user_id=ANNA),
        client.permissions.check(subject="user:a", relation="editor", object="project:b"),
    ]
    for call in calls:
        with pytest.raises(errors.InvalidClientError) as refusal:
            await call

        assert (refusal.value.code, refusal.value.status_code) == ("invalid_client", 401)
    await client.close()


async def test_nobody_at_the_address_is_an_error() -> None:
    client = connect(f"http://{HOST}:1")
    with pytest.raises(errors.NetworkError) as refusal:
        await client.oauth.introspect_token(token="x")
    await client.close()

    assert refusal.value.status_code is None
    assert isinstance(refusal.value, errors.AvnologyIdError)


async def test_a_client_closes_more_than_once(url: str) -> None:
    client = connect(url)
    await client.oauth.introspect_token(token="x")

    await client.close()
    await client.close()


async def test_a_client_that_was_never_used_closes(url: str) -> None:
    await connect(url).close()


TREE = {
    "AuthError": "InvalidCredentials AccountLocked AccountDisabled MfaRequired InvalidCode "
    "ExpiredFlow PasswordBreached PasswordTooWeak DuplicateAccount",
    "OAuthError": "InvalidGrant InvalidClient InvalidScope InsufficientScope",
    "ApiError": "NotFound Forbidden Unauthorized Validation Conflict",
    "AvnologyIdError": "Auth OAuth Api RateLimit Network Timeout",
}


@pytest.mark.parametrize("base", TREE)
def test_the_errors_are_a_tree(base: str) -> None:
    for name in TREE[base].split():
        assert issubclass(getattr(errors, f"{name}Error"), getattr(errors, base))


async def test_the_answer_is_at_hand_as_it_came(
    client: AsyncAvnologyId, platform: Provider
) -> None:
    """Beyond the documentation: `app/auth/verifier.py` judges claims that have no attribute."""
    result = await client.oauth.introspect_token(token=platform.issue())

    assert result.raw.startswith(b'{"client_id":"writer","sub":"writer",')
