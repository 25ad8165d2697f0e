"""Bodies that are not read without a token, mounted applications, and routers included twice."""

import pytest
from fastapi import APIRouter, FastAPI, Security
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app.auth import bearer
from app.auth.token_first import check_tokens_first
from tests.auth.test_bearer import (
    BARE,
    JSON,
    NOT_JSON,
    PROTECTED,
    WITHOUT_SCOPE,
    WRITE,
    add_routes,
    create_open,
)
from tests.conftest import CallAs, Start

BODIES = {"nested": b"[" * 100_000, "another one": b'{"other": 1}'}


@pytest.fixture
def client(start: Start) -> TestClient:
    return start(prepare=add_routes)


@pytest.mark.parametrize("path", PROTECTED)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_body_is_read(client: TestClient, path: str, body: bytes) -> None:
    response = client.post(path, content=body, headers=JSON)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == BARE


def test_application_looks_at_its_own_routes(start: Start) -> None:
    """Without a call by a test."""
    assert start().post("/probe", content=NOT_JSON, headers=JSON).status_code == 401


def test_server_without_extensions(client: TestClient) -> None:
    """`extensions` may be missing in the scope of a WebSocket (ASGI)."""

    async def without_extensions(scope: Scope, receive: Receive, send: Send) -> None:
        kept = {name: value for name, value in scope.items() if name != "extensions"}
        await client.app(kept, receive, send)

    with (
        TestClient(without_extensions) as caller,
        pytest.raises(WebSocketDisconnect) as closed,
        caller.websocket_connect("/ws"),
    ):
        raise AssertionError("it was accepted")

    assert closed.value.code == 1008


def test_missing_scope_in_a_mounted_application(as_user: CallAs) -> None:
    response = as_user("anna").post("/inner/notes", json={"text": "buy milk"})

    assert response.status_code == 403
    assert response.headers["www-authenticate"] == BARE + WITHOUT_SCOPE


def test_document_names_scheme_and_scopes(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    scheme = document["components"]["securitySchemes"]["bearer"]

    assert scheme == {"type": "http", "scheme": "bearer"}
    assert document["paths"]["/notes"]["post"]["security"] == [{"bearer": WRITE}]


@pytest.fixture
def twice(start: Start) -> TestClient:
    """Return a client of a service whose router is open in one place and protected in another."""

    def add(app: FastAPI) -> None:
        router = APIRouter()
        router.post("/notes")(create_open)
        app.include_router(router, prefix="/open")
        app.include_router(router, prefix="/protected", dependencies=[Security(bearer)])
        check_tokens_first(app)

    return start(prepare=add)


def test_router_that_is_included_twice(twice: TestClient) -> None:
    """The dependencies decide, after the body is read."""
    opened = twice.post("/open/notes", json={"text": "buy milk"})
    protected = twice.post("/protected/notes", json={"text": "buy milk"})
    unread = twice.post("/open/notes", content=NOT_JSON, headers=JSON)

    assert [each.status_code for each in (opened, protected, unread)] == [200, 401, 422]
