"""What a team adds in `app/extensions.py`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, Request
from starlette.datastructures import State
from starlette.testclient import TestClient

from app import extensions
from app.health import Check
from tests.conftest import Start
from tests.probe import Note


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
def failures() -> list[Exception]:
    """Return what the team's check raises."""
    return []


@pytest.mark.parametrize(
    ("resource", "check", "refused"),
    [
        ("verifier", "notes", "verifier"),
        ("readiness", "notes", "readiness"),
        ("signature", "identity provider", "identity provider"),
    ],
)
def test_team_cannot_take_a_name_of_the_service(
    start: Start, monkeypatch: pytest.MonkeyPatch, resource: str, check: str, refused: str
) -> None:
    """The start fails. Otherwise a resource could replace the verifier."""

    @asynccontextmanager
    async def resources(_: object) -> AsyncIterator[Mapping[str, object]]:
        yield {resource: "yours"}

    monkeypatch.setattr(extensions, "resources", resources)
    monkeypatch.setattr(extensions, "checks", lambda _: {check: None})

    with pytest.raises(TypeError, match=f"'{refused}'"):
        start()


@pytest.fixture
def client(start: Start, monkeypatch: pytest.MonkeyPatch, failures: list[Exception]) -> TestClient:
    """Return a client of the service with a router, a resource and a check of a team."""

    @asynccontextmanager
    async def resources(_: object) -> AsyncIterator[Mapping[str, object]]:
        yield {"signature": "yours"}

    def checks(state: State) -> Mapping[str, Check]:
        async def check() -> None:
            assert state.signature == "yours"
            for failure in failures:
                raise failure

        return {"notes": check}

    monkeypatch.setattr(extensions, "routers", [notes()])
    monkeypatch.setattr(extensions, "resources", resources)
    monkeypatch.setattr(extensions, "checks", checks)
    return start()


def test_router_and_check_use_a_resource(client: TestClient) -> None:
    response = client.post("/notes/7", json={"text": "milk"})

    assert (response.status_code, response.json()) == (201, {"text": "7 milk anna yours"})
    assert client.post("/notes/seven", json={"text": "milk"}).status_code == 422
    assert client.get("/health/ready").status_code == 200


def test_check_raises(
    client: TestClient, failures: list[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it raises, the service is not ready. The log has the type, and not the text."""
    failures.append(KeyError("s3cret"))
    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "missing": ["notes"]}
    assert "missing='notes' reason=KeyError" in caplog.text
    assert "s3cret" not in caplog.text
