"""The OpenAPI document: a generator of clients can read it, and it names every error."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.testclient import TestClient

from app.about import TEMPLATE
from app.webhooks.signature import PATH

Document = dict[str, Any]

REFUSALS = {"401", "403", "503"}
ERRORS: dict[tuple[str, str], set[str]] = {
    ("/health/live", "get"): set(),
    ("/health/ready", "get"): {"503"},
    ("/widgets", "get"): REFUSALS,
    ("/widgets", "post"): REFUSALS | {"422"},
    ("/widgets/{widget_id}", "delete"): REFUSALS | {"404", "422"},
    ("/api/profile", "get"): REFUSALS | {"404"},
    ("/api/projects/{project_id}", "put"): REFUSALS | {"404", "422"},
    (PATH, "post"): {"400", "401", "409", "413", "415", "503"},
}
"""The errors of each operation. Two of them exist in `sdk` mode only."""


@pytest.fixture
def document(client: TestClient) -> Document:
    response = client.get("/openapi.json")

    assert response.status_code == 200
    found: Document = response.json()
    return found


@pytest.fixture
def operations(document: Document) -> dict[tuple[str, str], Document]:
    """Return the operations by path and method."""
    return {
        (path, method): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_document_is_valid(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_document_names_the_template(document: Document) -> None:
    choices = {"validation_mode", "include_caching", "include_webhooks"}

    assert document["info"]["x-template"] == TEMPLATE
    assert TEMPLATE.keys() == {"version", *choices}


def test_operations_are_described(operations: dict[tuple[str, str], Document]) -> None:
    for operation in operations.values():
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]


def test_errors(operations: dict[tuple[str, str], Document]) -> None:
    errors = {
        place: {status for status in operation["responses"] if status >= "400"}
        for place, operation in operations.items()
    }

    assert errors == {place: ERRORS[place] for place in errors}


def test_only_protected_operations_need_a_token(
    operations: dict[tuple[str, str], Document],
) -> None:
    protected = {place for place, operation in operations.items() if "security" in operation}

    assert protected == {place for place in operations if ERRORS[place] >= REFUSALS}


def test_delivery_has_a_body(operations: dict[tuple[str, str], Document]) -> None:
    """Its route reads the raw body, so FastAPI cannot see it."""
    assert "application/json" in operations[(PATH, "post")]["requestBody"]["content"]
