"""The recipes of the service's README do what they say."""

import re
import time
from collections.abc import Callable

import pytest
from fastapi import APIRouter, FastAPI
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dev.processes import ROOT
from dev.provider import Provider
from tests.callers import bearer
from tests.conftest import Start


def router_of(heading: str) -> APIRouter:
    """Return the router of the first recipe that holds `heading`."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    names: dict[str, object] = {}
    exec(next(block for block in blocks if heading in block), names)  # noqa: S102
    router = names["router"]
    assert isinstance(router, APIRouter)
    return router


@pytest.fixture
def client(start: Start) -> TestClient:
    """Return a caller of the service with the recipes."""

    def add(app: FastAPI) -> None:
        app.include_router(router_of("send_ticks"))
        app.include_router(router_of("list_orders"))

    return start(prepare=add)


@pytest.fixture
def clock() -> Callable[[], float]:
    """The real time, at which the recipe ends a connection."""
    return time.time


def test_websocket_ends_with_its_token(client: TestClient, provider: Provider) -> None:
    expires_at = int(time.time()) + 2
    token = provider.issue(scopes=("read:ticks",), subject="anna", exp=expires_at)

    with client.websocket_connect("/ticks", headers=bearer(token)) as websocket:
        ticks = iter(websocket.receive_text, None)
        with pytest.raises(WebSocketDisconnect) as closed:
            list(ticks)

    assert closed.value.code == 1008
    assert time.time() >= expires_at


def test_route_needs_its_scope(client: TestClient, provider: Provider) -> None:
    reader = bearer(provider.issue(scopes=("read:orders",), subject="anna"))
    other = bearer(provider.issue(scopes=("read:widgets",), subject="anna"))

    assert client.get("/orders", headers=reader).json() == ["an order of anna"]
    assert client.get("/orders", headers=other).status_code == 403
