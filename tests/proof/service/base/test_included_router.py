"""A plain router is copied to the application, and nothing shows it."""

from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.test_extensions import client, failures, notes

__all__ = ["client", "failures"]


def test_document_is_that_of_an_included_router(client: TestClient) -> None:
    plain, path = FastAPI(), "/notes/{number}"
    plain.include_router(notes())

    assert client.get("/openapi.json").json()["paths"][path] == plain.openapi()["paths"][path]
