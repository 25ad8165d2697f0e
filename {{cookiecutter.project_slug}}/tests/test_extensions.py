"""What a team adds in `app/extensions.py`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel
from starlette.datastructures import State
from starlette.testclient import TestClient

from app import extensions
from app.health import Check
from tests.conftest import Start


class Note(BaseModel):
    text: str


def author() -> str:
    return "anna"


def notes() -> APIRouter:
    """Return a router with a parameter, a body, a dependency and a response model."""
    router = APIRouter(prefix="/notes", tags=["notes"])

    @router.post("/{number}", response_model=Note, status_code=201)
    async def create(
        number: int, note: Note, request: Request, name: Annotated[str, Depends(author)]
    ) -> dict[str, str]:
        return {"text": f"{number} {note.text} {name} {request.state.signature}", "more": "x"}

    return router


@pytest.fixture
def is_broken() -> list[str]:
    """Return what the team's check finds missing."""
    return []


@pytest.fixture
def client(start: Start, monkeypatch: pytest.MonkeyPatch, is_broken: list[str]) -> TestClient:
    """Return a caller of the service with a router, a resource and a check of a team."""

    @asynccontextmanager
    async def resources(_: object) -> AsyncIterator[Mapping[str, object]]:
        yield {"signature": "yours"}

    def checks(state: State) -> Mapping[str, Check]:
        async def check() -> None:
            assert state.signature == "yours"
            if is_broken:
                raise KeyError(is_broken[0])

        return {"notes": check}

    monkeypatch.setattr(extensions, "routers", [notes()])
    monkeypatch.setattr(extensions, "resources", resources)
    monkeypatch.setattr(extensions, "checks", checks)
    return start()


def test_a_router_uses_a_resource(client: TestClient) -> None:
    response = client.post("/notes/7", json={"text": "milk"})

    assert (response.status_code, response.json()) == (201, {"text": "7 milk anna yours"})
    assert client.post("/notes/seven", json={"text": "milk"}).status_code == 422
    assert client.get("/notes/7").status_code == 405
    assert client.get("/widgets").status_code == 404


def test_a_dependency_can_be_overridden(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    client.app.dependency_overrides[author] = lambda: "bert"

    assert client.post("/notes/7", json={"text": "milk"}).json() == {"text": "7 milk bert yours"}


def test_the_document_is_that_of_an_included_router(client: TestClient) -> None:
    plain = FastAPI()
    plain.include_router(notes())

    assert (
        client.get("/openapi.json").json()["paths"]["/notes/{number}"]
        == (plain.openapi()["paths"]["/notes/{number}"])
    )


def test_whatever_a_check_raises_is_not_ready(
    client: TestClient, is_broken: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the type of the error, and not its text."""
    is_broken.append("s3cret")
    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "missing": ["notes"]}
    assert "missing='notes' reason=KeyError" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_check_that_passes_is_ready(client: TestClient) -> None:
    assert client.get("/health/ready").status_code == 200
