"""What the OpenAPI document says about who may call what."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.about import DESCRIPTION, TITLE

SECURED = {
    "get /widgets": [],
    "post /widgets": ["write:widgets"],
    "delete /widgets/{widget_id}": ["write:widgets"],
    "get /api/profile": [],
    "put /api/projects/{project_id}": [],
}
"""If you add an operation, add it with its scopes."""


OPEN = {"get /health/live", "get /health/ready"}


@pytest.fixture
def document(client: TestClient) -> Any:
    return client.get("/openapi.json").json()


@pytest.fixture
def operations(document: Any) -> dict[str, Any]:
    """Return the operations by method and path."""
    return {
        f"{method} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_service_names_itself(document: Any) -> None:
    info = document["info"]

    assert (info["title"], info["description"]) == (TITLE, DESCRIPTION)


def test_each_operation_documents_its_scopes(operations: dict[str, Any]) -> None:
    needs = {name: each["security"] for name, each in operations.items() if "security" in each}

    assert needs == {name: [{"bearer": scopes}] for name, scopes in SECURED.items()}


def test_each_operation_documents_its_refusals(operations: dict[str, Any]) -> None:
    """No operation is open by accident."""
    refusals = {name: operations[name]["responses"].keys() for name in SECURED}

    assert {name for name, each in operations.items() if "401" not in each["responses"]} == OPEN
    assert all({"401", "403", "503"} <= statuses for statuses in refusals.values())


def test_scheme_is_bearer(document: Any) -> None:
    assert document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer"}
    }
