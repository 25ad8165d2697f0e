"""The recipes of the service's README do what they say."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dev.processes import ROOT
from dev.provider import Provider
from tests.callers import bearer
from tests.conftest import Start

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
FILES = {
    "app/team_settings.py": "class TeamSettings",
    "app/routes/orders.py": "async def list_orders",
    "app/extensions.py": "async def resources",
    "tests/routes/test_orders.py": "def test_callers_see_their_own_orders",
}
"""The files of the example, and what the README's text of each holds."""
PERMISSION = "require_permission("
COPIED = ("app", "avnology_id", "dev", "tests", "pyproject.toml")


def block(text: str) -> str:
    """Return the first recipe that holds `text`."""
    return next(each for each in BLOCKS if text in each)


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """Return a copy of the service to which a team has added the example."""
    ignore = shutil.ignore_patterns("__pycache__", "readme")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
        elif (ROOT / name).is_file():
            shutil.copy(ROOT / name, tmp_path)
    for file, text in FILES.items():
        (tmp_path / file).write_text(block(text))
    variable = '"ORDERS_DATABASE_URL": "sqlite+aiosqlite://"'
    assert variable in (ROOT / "README.md").read_text()
    known = tmp_path / "tests/routes/__init__.py"
    known.write_text(
        re.sub(
            r"^VARIABLES(.*) = {}$", rf"VARIABLES\1 = {{{variable}}}", known.read_text(), flags=re.M
        )
    )
    (tmp_path / ".env").write_text("ORDERS_DATABASE_URL=sqlite+aiosqlite:///orders.sqlite\n")
    return tmp_path


@pytest.mark.parametrize(
    "command", ["ruff check .", "ruff format --check .", "mypy app dev tests", "pytest -q --cov"]
)
def test_service_with_the_example(service: Path, command: str) -> None:
    """All of its own commands pass: no file but the team's has to change."""
    result = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=service,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )

    assert result.returncode == 0, result.stdout


@pytest.fixture
def client(start: Start) -> TestClient:
    """Return a client of the service with the WebSocket."""
    names: dict[str, object] = {}
    exec(block("send_ticks"), names)  # noqa: S102
    router = names["router"]
    assert isinstance(router, APIRouter)

    def add(app: FastAPI) -> None:
        app.include_router(router)

    return start(prepare=add)


@pytest.fixture
def clock() -> Callable[[], float]:
    """The real time, at which the recipe ends a connection."""
    return time.time


def test_websocket_ends_with_its_token(client: TestClient, provider: Provider) -> None:
    expires_at = int(time.time()) + 2
    token = provider.issue(scopes=("read:ticks",), subject="anna", exp=expires_at)

    with client.websocket_connect("/ticks", headers=bearer(token)) as websocket:
        ticks = iter(websocket.receive_text, None)
        with pytest.raises(WebSocketDisconnect) as closed:
            list(ticks)

    assert closed.value.code == 1008
    assert time.time() >= expires_at


@pytest.mark.skipif(not any(PERMISSION in each for each in BLOCKS), reason="no permissions")
def test_permission_decides(start: Start, provider: Provider) -> None:
    """Of the user for the object in the path, after the scope."""
    names: dict[str, object] = {}
    exec(block("async def list_orders") + block(PERMISSION), names)  # noqa: S102
    router = names["router"]
    assert isinstance(router, APIRouter)

    def add(app: FastAPI) -> None:
        app.include_router(router)

    provider.permissions.add(("order", "7", "editor", "identities:usr_anna"))
    client = start(prepare=add)
    calls = [
        ("usr_anna", "write:orders"),
        ("usr_bert", "write:orders"),
        ("usr_anna", "read:orders"),
    ]
    responses = [
        client.put("/orders/7", headers=bearer(provider.issue(subject=user, scopes=[scope])))
        for user, scope in calls
    ]

    assert [each.status_code for each in responses] == [200, 403, 403]
    assert responses[0].json() == "7 updated by usr_anna"
