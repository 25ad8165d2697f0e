"""What the OpenAPI document says about who may call what."""

import pytest
from starlette.testclient import TestClient

from app.about import read_about
from app.routes import WITHOUT_TOKEN

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

    assert info["title"] == read_about().title
    assert info["description"] == read_about().description


def test_every_operation_says_which_scopes_it_needs(
    document: dict[str, dict[str, dict[str, dict[str, object]]]],
) -> None:
    """Whoever adds an operation adds it here: nothing is protected by accident."""
    needs = {
        (path, method): operation.get("security")
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if not path.startswith(WITHOUT_TOKEN)
    }

    assert needs == {where: [{"bearer": scopes}] for where, scopes in SECURED.items()}


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
