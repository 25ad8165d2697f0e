"""Where `bearer` protects: routes with a body, routers, mounted applications and WebSockets."""

from types import SimpleNamespace
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app.about import REALM
from app.auth import Principal, bearer
from app.auth.token_first import check_tokens_first
from tests.callers import bearer as header
from tests.conftest import CallAs, IssueToken, Start
from tests.probe import Note

BARE = f'Bearer realm="{REALM}"'
NOT_JSON = b'{"name": '
WITHOUT_SCOPE = ', error="insufficient_scope", scope="write:notes"'
JSON = {"Content-Type": "application/json"}
WRITE = ["write:notes"]
Caller = Annotated[Principal, Security(bearer, scopes=WRITE)]


def indirect(principal: Caller) -> Principal:
    return principal


def two_levels_deep(principal: Annotated[Principal, Depends(indirect)]) -> Principal:
    return principal


async def create(note: Note, principal: Caller) -> str:
    return f"{principal.subject}: {note.text}"


async def create_deep(note: Note, principal: Annotated[Principal, Depends(two_levels_deep)]) -> str:
    return f"{principal.subject}: {note.text}"


async def create_open(note: Note) -> str:
    return note.text


async def greet(websocket: WebSocket, principal: Caller) -> None:
    await websocket.accept()
    await websocket.send_text(principal.subject)
    await websocket.close()


def add_routes(app: FastAPI) -> None:
    """Add a team's router with a nested one, a mounted application and a WebSocket."""
    router, nested, inner = APIRouter(prefix="/notes"), APIRouter(prefix="/nested"), FastAPI()
    nested.post("")(create_open)
    router.post("")(create)
    router.post("/deep")(create_deep)
    router.post("/open")(create_open)
    router.include_router(nested, dependencies=[Security(bearer)])
    inner.post("/notes")(create)
    app.include_router(router)
    app.mount("/inner", inner)
    app.websocket("/ws")(greet)
    check_tokens_first(app)


@pytest.fixture
def client(start: Start) -> TestClient:
    return start(prepare=add_routes)


PROTECTED = ["/probe", "/notes", "/notes/deep", "/notes/nested", "/inner/notes"]


@pytest.mark.parametrize("path", PROTECTED)
def test_header_is_read_before_the_body(
    client: TestClient, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a token, no client makes the service parse anything."""
    twice = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")]
    missing = client.post(path, content=NOT_JSON, headers=JSON)
    two_headers = client.post(path, content=NOT_JSON, headers=[*JSON.items(), *twice])
    malformed = client.post(path, content=NOT_JSON, headers={**JSON, **header("a b")})

    assert [missing.status_code, two_headers.status_code, malformed.status_code] == [401, 400, 401]
    assert missing.headers["www-authenticate"] == BARE
    assert missing.json() == {"detail": "Not authenticated"}
    assert "request refused status=401 reason=no_header" in caplog.text


@pytest.mark.parametrize("path", PROTECTED[1:])
def test_good_token(as_user: CallAs, path: str) -> None:
    anna = as_user("anna", WRITE)
    created = anna.post(path, json={"text": "buy milk"})
    malformed = anna.post(path, content=NOT_JSON, headers=JSON)

    assert created.json() in ("anna: buy milk", "buy milk")
    assert malformed.status_code == 422


@pytest.mark.parametrize("path", ["/notes/open", "/probe/open"])
def test_open_route_needs_no_token(client: TestClient, path: str) -> None:
    assert client.post(path, json={"text": "buy milk"}).is_success


@pytest.mark.parametrize("overridden", [bearer, indirect, two_levels_deep])
def test_overridden_dependency_needs_no_header(client: TestClient, overridden: object) -> None:
    """At any depth, as in tests of a team."""
    assert isinstance(client.app, FastAPI)
    client.app.dependency_overrides[overridden] = lambda: SimpleNamespace(subject="anna")  # type: ignore[index]
    response = client.post("/notes/deep", json={"text": "buy milk"})

    assert response.json() == "anna: buy milk"


def test_websocket_with_a_token(as_user: CallAs) -> None:
    with as_user("anna", WRITE).websocket_connect("/ws") as websocket:
        assert websocket.receive_text() == "anna"


REFUSED = {
    "no token": (None, 401, ""),
    "unknown token": ("unknown", 401, ', error="invalid_token"'),
    "missing scope": ("GOOD", 403, WITHOUT_SCOPE),
}


@pytest.mark.parametrize(("sent", "status", "rest"), REFUSED.values(), ids=REFUSED)
def test_refused_websocket_gets_the_challenge(
    client: TestClient, token: IssueToken, sent: str | None, status: int, rest: str
) -> None:
    headers = header(sent.replace("GOOD", token())) if sent else {}
    connection = client.websocket_connect("/ws", headers=headers)
    with pytest.raises(WebSocketDenialResponse) as refused, connection:
        raise AssertionError("it was accepted")

    assert refused.value.status_code == status
    assert refused.value.headers["www-authenticate"] == BARE + rest


def test_refused_websocket_is_closed(client: TestClient) -> None:
    """By a server that can only accept a WebSocket or close it."""
    extensions: dict[str, object] = {}

    async def without_denials(scope: Scope, receive: Receive, send: Send) -> None:
        await client.app({**scope, "extensions": extensions}, receive, send)

    with (
        TestClient(without_denials) as caller,
        pytest.raises(WebSocketDisconnect) as closed,
        caller.websocket_connect("/ws"),
    ):
        raise AssertionError("it was accepted")

    assert closed.value.code == 1008
