"""Metadata of the resource: without an issuer, and for every method (RFC 9728)."""

from fastapi import FastAPI, Security
from starlette.testclient import TestClient

from app.auth import bearer
from app.auth.metadata import add_metadata
from tests.auth.test_metadata import PATH


def metadata(app: FastAPI, issuer: str | None = None) -> dict[str, object]:
    add_metadata(app, "https://api.example", issuer)
    found: dict[str, object] = TestClient(app).get(PATH).json()
    return found


def test_unknown_issuer_is_left_out() -> None:
    assert "authorization_servers" not in metadata(FastAPI())


def test_scopes_of_every_method() -> None:
    app = FastAPI()
    for method in ("GET", "POST", "DELETE"):
        scopes = Security(bearer, scopes=[f"{method.lower()}:notes"])
        app.add_api_route("/notes", lambda: "", methods=[method], dependencies=[scopes])

    assert metadata(app)["scopes_supported"] == ["delete:notes", "get:notes", "post:notes"]


def test_document_does_not_show_it() -> None:
    app = FastAPI()
    metadata(app)

    assert PATH not in app.openapi()["paths"]
