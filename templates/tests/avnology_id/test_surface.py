"""The client as the vendor's FastAPI guide uses it, beside the local provider on a real socket.

Written against the import name and what is documented about it, so that these tests say whether the
vendor's package fits when it takes the place of the folder `avnology_id`.
"""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
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


async def test_active_token(client: AsyncAvnologyId, platform: Provider) -> None:
    """`raw` is beyond the documentation: `app/auth/verifier.py` judges every claim of it."""
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


@pytest.mark.parametrize("user_id", ["usr_unknown", "../oauth2/token", "a b", "ü", "%2e%2e", "a?b"])
async def test_unknown_user_is_an_error(client: AsyncAvnologyId, user_id: str) -> None:
    with pytest.raises(errors.NotFoundError) as refusal:
        await client.admin.get_user(user_id=user_id)

    assert (refusal.value.code, refusal.value.status_code) == ("AVNOLOGY_AUTH_901", 404)
    assert refusal.value.request_id is not None


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
    with pytest.raises(errors.NetworkError) as failure:
        await client.oauth.introspect_token(token="x")
    await client.close()

    assert failure.value.status_code is None
    assert failure.value.__suppress_context__


async def test_unused_client_closes_more_than_once(url: str) -> None:
    client = connect(url)
    await client.close()
    await client.close()


def test_errors_have_one_base() -> None:
    """What `app/auth/verifier.py` catches, and what tells the errors apart."""
    for name in ("OAuth", "Api", "RateLimit", "Network", "Timeout"):
        assert issubclass(getattr(errors, f"{name}Error"), errors.AvnologyIdError)
    assert issubclass(errors.NotFoundError, errors.ApiError)
