"""What the OpenAPI document says about who may call what."""

import pytest
from starlette.testclient import TestClient

from app.about import DESCRIPTION, TITLE

SECURED = {
    ("/widgets", "get"): [],
    ("/widgets", "post"): ["write:widgets"],
    ("/widgets/{widget_id}", "delete"): ["write:widgets"],
    ("/api/profile", "get"): [],
    ("/api/projects/{project_id}", "put"): [],
}


@pytest.fixture
def document(client: TestClient) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    content: dict[str, dict[str, dict[str, dict[str, object]]]] = client.get("/openapi.json").json()
    return content


def test_the_service_names_itself(client: TestClient) -> None:
    info = client.get("/openapi.json").json()["info"]

    assert info["title"] == TITLE
    assert info["description"] == DESCRIPTION


def test_each_operation_documents_its_scopes(
    document: dict[str, dict[str, dict[str, dict[str, object]]]],
) -> None:
    """If you add an operation, add it to `SECURED`."""
    needs = {
        (path, method): operation["security"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "security" in operation
    }

    assert needs == {where: [{"bearer": scopes}] for where, scopes in SECURED.items()}


def test_only_health_refuses_no_request(
    document: dict[str, dict[str, dict[str, dict[str, object]]]],
) -> None:
    """No operation is open by accident."""
    without = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if "401" not in str(operation["responses"])
    }

    assert without == {"/health/live", "/health/ready"}


@pytest.mark.parametrize(("path", "method"), SECURED)
def test_every_secured_operation_documents_its_refusals(
    document: dict[str, dict[str, dict[str, dict[str, object]]]], path: str, method: str
) -> None:
    responses = document["paths"][path][method]["responses"]

    assert isinstance(responses, dict)
    assert {"401", "403", "503"} <= responses.keys()


def test_the_scheme_is_bearer(
    document: dict[str, dict[str, dict[str, dict[str, object]]]],
) -> None:
    assert document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer"}
    }


def test_health_needs_nothing(
    document: dict[str, dict[str, dict[str, dict[str, object]]]],
) -> None:
    for path in ("/health/live", "/health/ready"):
        assert "security" not in document["paths"][path]["get"]
