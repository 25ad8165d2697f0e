"""The vendor's FastAPI guide, beside the local provider on a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from avnology_id import AsyncAvnologyId
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.testclient import TestClient

from dev.environment import HOST
from dev.processes import listen, serving
from dev.provider import ANNA, BERT, Provider
from tests.callers import bearer


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


def test_service_of_the_guide_works() -> None:
    """The client is used with documented names only."""
    platform, listener = Provider(), listen(0, "")
    anna, bert = (bearer(platform.issue(subject=user)) for user in (ANNA, BERT))
    client = AsyncAvnologyId(
        base_url=f"http://{HOST}:{listener.getsockname()[1]}",
        client_id="service",
        client_secret="service-secret",
    )
    with serving(platform, listener), TestClient(guides_service(client)) as caller:
        responses = [
            caller.get("/me", headers=anna),
            caller.get("/api/profile", headers=anna),
            caller.put("/api/projects/apollo", headers=anna),
            caller.put("/api/projects/apollo", headers=bert),
            caller.get("/me", headers=bearer("unknown")),
        ]

    assert [response.json() for response in responses] == [
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
