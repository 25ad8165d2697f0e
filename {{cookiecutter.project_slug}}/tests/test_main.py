"""The application: how it starts, what its document says, and how it refuses bodies."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.about import DESCRIPTION, TITLE
from app.settings import Settings
from tests.conftest import ENVIRON, CallAs
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


def test_routes_with_a_token_document_refusals(operations: Operations) -> None:
    """And no other: a route with `responses=REFUSALS` needs a bearer too."""
    for (path, _), operation in operations.items():
        documents = {"401", "403", "503"} <= operation["responses"].keys()

        assert path in OPEN or documents is ("security" in operation)


def test_document_names_the_service(client: TestClient) -> None:
    info = client.get("/openapi.json").json()["info"]

    assert (info["title"], info["description"]) == (TITLE, DESCRIPTION)


BODIES = {
    "not JSON": b"text=x",
    "half a surrogate pair": b'{"text":"\\ud800"}',
    "not a number": b'{"text":NaN}',
    "not UTF-8": b'{"text":"\xff"}',
    "nested": b"[" * 50_000,
    "long text": b'{"text":"' + b"x" * 101 + b'"}',
    "another type": b'{"text":1}',
    "nothing": b"",
}


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES)
def test_wrong_body(as_user: CallAs, content: bytes) -> None:
    """It is never a 500, and the response does not repeat the input."""
    headers = {"Content-Type": "application/json"}
    response = as_user("anna", [WRITE]).post("/probe", content=content, headers=headers)

    assert response.status_code in (400, 422)
    assert "input" not in response.text


def test_slash_at_the_end_is_another_path(as_user: CallAs) -> None:
    """There is no redirect, whose target would be what the `Host` header says."""
    assert as_user("anna").get("/probe/", follow_redirects=False).status_code == 404
