"""A plain router is copied to the application, and nothing shows it."""

from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.test_extensions import author, client, failures, notes

__all__ = ["client", "failures"]


def test_document_is_that_of_an_included_router(client: TestClient) -> None:
    plain, path = FastAPI(), "/notes/{number}"
    plain.include_router(notes())

    assert client.get("/openapi.json").json()["paths"][path] == plain.openapi()["paths"][path]


def test_dependency_is_overridden(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    client.app.dependency_overrides[author] = lambda: "bert"

    assert client.post("/notes/7", json={"text": "milk"}).json() == {"text": "7 milk bert yours"}


def test_another_method(client: TestClient) -> None:
    assert client.get("/notes/7").status_code == 405
