"""The application: how it starts, what its document says, and what each request passes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.about import TITLE
from app.settings import Settings
from dev.provider import Provider
from tests.callers import bearer
from tests.conftest import ENVIRON, CallAs, IssueToken, Start
from tests.probe import WRITE
from tests.routes import OPEN_ROUTES

ROOT = Path(__file__).parent.parent
REQUIRED = [name for name, field in Settings.model_fields.items() if field.is_required()]


def run(directory: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in `directory`, with nothing but these variables."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_wrong_environment_stops_the_start(tmp_path: Path) -> None:
    """With one sentence per problem, no traceback, and a failure for the supervisor."""
    process = run(tmp_path, "-m", "uvicorn", "app.main:app", "--fd", "-1", IDP_TIMEOUT="soon")
    lines = process.stderr.strip().splitlines()

    assert process.returncode != 0
    assert len(lines) == 2 + len(REQUIRED)
    assert lines[0] == "The service cannot start with this environment."


def test_import(tmp_path: Path) -> None:
    """It reads `.env` of the working directory and writes nothing."""
    lines = [f"{name}={value}\n" for name, value in ENVIRON.items()]
    (tmp_path / ".env").write_text("".join(lines))
    process = run(tmp_path, "-c", "from app.main import app, create_app; print(app)")

    assert (process.returncode, process.stderr) == (0, "")


Operations = dict[tuple[str, str], dict[str, Any]]
OPEN = {"/health/live", "/health/ready", *OPEN_ROUTES}


@pytest.fixture
def operations(client: TestClient) -> Operations:
    """Return the operations of the OpenAPI document by path and method."""
    paths = client.get("/openapi.json").json()["paths"]
    return {(path, method): paths[path][method] for path in paths for method in paths[path]}


def test_no_route_is_open_by_accident(operations: Operations) -> None:
    """One that needs no token stands in `OPEN_ROUTES` of `tests/routes/__init__.py`."""
    paths = {path for (path, _), each in operations.items() if "401" not in each["responses"]}

    assert paths == OPEN


def test_protected_routes_document_refusals(operations: Operations) -> None:
    """And no other: a route with `responses=REFUSALS` needs a bearer too."""
    for (path, _), operation in operations.items():
        documents = {"401", "403", "503"} <= operation["responses"].keys()

        assert path in OPEN or documents is ("security" in operation)


def test_documentation(start: Start) -> None:
    """It names the service, and can be switched off."""
    client, without = start(), start(DOCS_ENABLED="false")

    assert client.get("/openapi.json").json()["info"]["title"] == TITLE
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(path).status_code == 200
        assert without.get(path).status_code == 404


BODIES = {
    "not JSON": b"text=x",
    "half a surrogate pair": b'{"text":"\\ud800"}',
    "not a number": b'{"text":NaN}',
    "not UTF-8": b'{"text":"\xff"}',
    "nested": b"[" * 50_000,
    "another type": b'{"text":1}',
    "nothing": b"",
}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES)
def test_wrong_body(as_user: CallAs, content: bytes) -> None:
    """It is never a 500, and the response does not repeat the input."""
    response = as_user("anna", [WRITE]).post("/probe", content=content, headers=JSON)

    assert response.status_code in (400, 422)
    assert "input" not in response.text


@pytest.fixture
def small(start: Start, token: IssueToken) -> TestClient:
    """Return a caller of a service that takes a hundred bytes."""
    client = start(REQUEST_MAX_BYTES="100")
    client.headers = {**bearer(token([WRITE])), **JSON}
    return client


BODY = b'{"text":"x"}'.ljust(100)


@pytest.mark.parametrize(("length", "status"), [("100", 201), ("101", 413), ("1" * 5000, 413)])
def test_declared_length(small: TestClient, provider: Provider, length: str, status: int) -> None:
    response = small.post("/probe", content=BODY, headers={"Content-Length": length})

    assert response.status_code == status
    assert (response.headers.get("connection") == "close") is (status == 413)


def test_streamed_body_over_the_limit(small: TestClient) -> None:
    def stream() -> Iterator[bytes]:
        yield from [b" " * 60] * 1000

    response = small.post("/probe", content=stream())

    assert (response.status_code, response.json()) == (413, {"detail": "Payload too large"})


def test_trailing_slash_is_not_found(as_user: CallAs) -> None:
    """There is no redirect, whose target would be what the `Host` header says."""
    assert as_user("anna").get("/probe/", follow_redirects=False).status_code == 404


BROWSER = {"Origin": "https://app.example"}


def test_browsers_read_refusals(start: Start, token: IssueToken) -> None:
    client = start(CORS_ORIGINS="https://app.example", REQUEST_MAX_BYTES="1")
    large = {**BROWSER, **JSON, **bearer(token([WRITE]))}
    wanted = {"Access-Control-Request-Method": "POST"}
    responses = [
        client.options("/probe", headers={**BROWSER, **wanted}),
        client.get("/probe", headers=BROWSER),
        client.post("/probe", content=BODY, headers=large),
    ]

    assert [each.status_code for each in responses] == [200, 401, 413]
    for response in responses:
        assert response.headers["access-control-allow-origin"] == "https://app.example"
    exposed = responses[1].headers["access-control-expose-headers"].split(", ")
    assert set(exposed) >= {"WWW-Authenticate", "X-Request-ID"}
