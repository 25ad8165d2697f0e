"""Bodies that are not read without a token, and routes that are included twice."""

import pytest
from fastapi import APIRouter, FastAPI, Security
from starlette.testclient import TestClient

from app.auth import bearer
from app.auth.token_first import check_tokens_first
from tests.auth.test_bearer import BARE, JSON, NOT_JSON, PROTECTED, add_routes, create_open
from tests.conftest import Start

BODIES = {"nested": b"[" * 100_000, "another one": b'{"other": 1}'}


@pytest.mark.parametrize("path", PROTECTED)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_body_is_read(start: Start, path: str, body: bytes) -> None:
    response = start(prepare=add_routes).post(path, content=body, headers=JSON)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == BARE


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
