"""Where `bearer` protects: routes with a body, routers, mounted applications and WebSockets."""

from types import SimpleNamespace
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from pydantic import BaseModel
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app.about import REALM
from app.auth import Principal, bearer
from app.auth.token_first import check_tokens_first
from tests.callers import bearer as header
from tests.conftest import IssueToken, Start

BARE = f'Bearer realm="{REALM}"'
NOT_JSON = b'{"name": '
NESTED = b"[" * 100_000
NONE: dict[str, object] = {}
JSON = {"Content-Type": "application/json"}
Caller = Annotated[Principal, Security(bearer, scopes=["write:notes"])]


class Note(BaseModel):
    text: str


def indirect(principal: Caller) -> Principal:
    return principal


def two_levels_deep(principal: Annotated[Principal, Depends(indirect)]) -> Principal:
    return principal


def notes() -> APIRouter:
    """Return a team's router, with a nested one."""
    router, nested = APIRouter(prefix="/notes"), APIRouter(prefix="/nested")

    @router.post("")
    async def create(note: Note, principal: Caller) -> str:
        return f"{principal.subject}: {note.text}"

    @router.post("/deep")
    async def create_deep(
        note: Note, principal: Annotated[Principal, Depends(two_levels_deep)]
    ) -> str:
        return f"{principal.subject}: {note.text}"

    @router.post("/open")
    async def create_open(note: Note) -> str:
        return note.text

    @nested.post("")
    async def create_nested(note: Note) -> str:
        return note.text

    router.include_router(nested, dependencies=[Security(bearer)])
    return router


@pytest.fixture
def client(start: Start) -> TestClient:
    """Return a caller of the service with the router of a team."""

    def add(app: FastAPI) -> None:
        app.include_router(notes())
        check_tokens_first(app)

    return start(prepare=add)


PROTECTED = ["/widgets", "/notes", "/notes/deep", "/notes/nested"]


@pytest.mark.parametrize("path", PROTECTED)
@pytest.mark.parametrize("body", [NOT_JSON, NESTED, b'{"other": 1}'], ids=["cut", "deep", "other"])
def test_without_a_token_no_body_is_read(client: TestClient, path: str, body: bytes) -> None:
    response = client.post(path, content=body, headers=JSON)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == BARE


@pytest.mark.parametrize("path", PROTECTED)
def test_a_malformed_header_is_refused_first(client: TestClient, path: str) -> None:
    twice = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")]

    two_headers = client.post(path, content=NOT_JSON, headers=[*JSON.items(), *twice])
    two_words = client.post(path, content=NOT_JSON, headers={**JSON, **header("a b")})

    assert (two_headers.status_code, two_words.status_code) == (400, 401)


@pytest.mark.parametrize("path", ["/notes", "/notes/deep", "/notes/nested"])
def test_a_caller_with_a_token_gets_through(
    client: TestClient, token: IssueToken, path: str
) -> None:
    headers = header(token(scopes=("write:notes",), subject="anna"))

    created = client.post(path, json={"text": "buy milk"}, headers=headers)
    malformed = client.post(path, content=NOT_JSON, headers={**headers, **JSON})

    assert created.json() in ("anna: buy milk", "buy milk")
    assert malformed.status_code == 422


def test_an_open_route_needs_no_token(client: TestClient) -> None:
    response = client.post("/notes/open", json={"text": "buy milk"})

    assert response.json() == "buy milk"


@pytest.mark.parametrize("overridden", [bearer, indirect, two_levels_deep])
def test_an_overridden_dependency_needs_no_header(client: TestClient, overridden: object) -> None:
    """As tests of a team do it, with an override at any depth."""
    app = client.app
    assert isinstance(app, FastAPI)
    app.dependency_overrides[overridden] = lambda: SimpleNamespace(subject="anna")  # type: ignore[index]

    response = client.post("/notes/deep", json={"text": "buy milk"})

    assert response.json() == "anna: buy milk"


def test_a_refusal_before_the_body_is_logged(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.post("/notes", content=NOT_JSON, headers=JSON)

    assert "request refused status=401 reason=no_header" in caplog.text


@pytest.fixture
def mounted(start: Start) -> TestClient:
    """Return a caller of the service with another application inside of it."""
    inner = FastAPI()

    @inner.get("/whoami")
    async def whoami(principal: Caller) -> str:
        return principal.subject

    @inner.post("/notes")
    async def create(note: Note, principal: Caller) -> str:
        return f"{principal.subject}: {note.text}"

    def add(app: FastAPI) -> None:
        app.mount("/inner", inner)
        check_tokens_first(app)

    return start(prepare=add)


def test_a_mounted_application_answers_alike(mounted: TestClient, token: IssueToken) -> None:
    path = "/inner/whoami"

    allowed = mounted.get(path, headers=header(token(scopes=("write:notes",), subject="anna")))
    missing = mounted.get(path)
    forbidden = mounted.get(path, headers=header(token(subject="anna")))

    assert allowed.json() == "anna"
    assert (missing.status_code, missing.headers["www-authenticate"]) == (401, BARE)
    assert missing.json() == {"detail": "Not authenticated"}
    assert forbidden.headers["www-authenticate"] == (
        f'{BARE}, error="insufficient_scope", scope="write:notes"'
    )


def test_a_mounted_application_reads_the_token_first(mounted: TestClient) -> None:
    response = mounted.post("/inner/notes", content=NOT_JSON, headers=JSON)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == BARE


@pytest.fixture
def sockets(start: Start) -> TestClient:
    """Return a caller of the service with a WebSocket."""

    def add(app: FastAPI) -> None:
        @app.websocket("/ws")
        async def greet(websocket: WebSocket, principal: Caller) -> None:
            await websocket.accept()
            await websocket.send_text(principal.subject)
            await websocket.close()

    return start(prepare=add)


def test_a_websocket_is_opened_with_a_token(sockets: TestClient, token: IssueToken) -> None:
    headers = header(token(scopes=("write:notes",), subject="anna"))

    with sockets.websocket_connect("/ws", headers=headers) as websocket:
        assert websocket.receive_text() == "anna"


def test_a_refused_websocket_gets_the_challenge(sockets: TestClient, token: IssueToken) -> None:
    for headers, status, rest in [
        ({}, 401, ""),
        (header("unknown"), 401, ', error="invalid_token"'),
        (header(token()), 403, ', error="insufficient_scope", scope="write:notes"'),
    ]:
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            sockets.websocket_connect("/ws", headers=headers),
        ):
            raise AssertionError("it was accepted")

        assert refused.value.status_code == status
        assert refused.value.headers["www-authenticate"] == BARE + rest


class WithoutDenials:
    """A server that can only accept a WebSocket or close it."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "extensions": NONE}, receive, send)


def test_a_refused_websocket_is_closed_without_denials(sockets: TestClient) -> None:
    app = sockets.app
    assert isinstance(app, FastAPI)

    with (
        TestClient(WithoutDenials(app)) as caller,
        pytest.raises(WebSocketDisconnect) as closed,
        caller.websocket_connect("/ws"),
    ):
        raise AssertionError("it was accepted")

    assert closed.value.code == 1008
