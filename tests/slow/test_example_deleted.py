"""A team deletes the example as its docstring says, and the commands of the service still work."""

import ast
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.combinations import OPTIONS, Answers, name
from tests.servers.processes import HOST, free_port, running
from tests.slow.conftest import Installed, environment, install

COMBINATIONS: list[Answers] = [
    {"validation_mode": "introspection", "include_caching": True, "include_webhooks": False},
    {"validation_mode": "jwt", "include_caching": False, "include_webhooks": True},
    {"validation_mode": "sdk", "include_caching": False, "include_webhooks": False},
]
"""Each mode, and each choice of the options."""
ROUTES, TESTS = "app/routes/widgets.py", "tests/routes/test_widgets.py"
REGISTRY = "app/extensions.py"
REGISTERED = (r"^from app\.routes import widgets\n", r"\bwidgets\.router(, )?")
"""The import, and the router in the list."""
SECONDS = 30
"""Time to stop both servers."""


def delete_example(project: Path) -> None:
    """Delete the files that the docstring of the example names, and take out its router."""
    docstring = ast.get_docstring(ast.parse((project / ROUTES).read_text(encoding="utf-8")))
    assert docstring is not None
    assert f"delete this file and `{TESTS}`" in docstring
    assert f"`{REGISTRY}`" in docstring
    for file in (ROUTES, TESTS):
        (project / file).unlink()
    text = (project / REGISTRY).read_text(encoding="utf-8")
    for pattern in REGISTERED:
        text, count = re.subn(pattern, "", text, flags=re.M)
        assert count == 1, pattern
    (project / REGISTRY).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module", params=COMBINATIONS, ids=lambda row: f"deleted-{name(row)}")
def without_example(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    """A project of each mode without the example."""
    project = install(tmp_path_factory.mktemp("deleted"), request.param)
    delete_example(project.path)
    return project


def test_each_answer_is_in_the_list() -> None:
    """Add a new mode to `COMBINATIONS`."""
    assert all({row[key] for row in COMBINATIONS} == set(OPTIONS[key]) for key in OPTIONS)


def test_its_checks_pass(without_example: Installed) -> None:
    """Nothing else imports the example."""
    without_example.make("check")


def test_its_tests_pass(without_example: Installed) -> None:
    """Other tests use routes of their own."""
    without_example.make("test")


def test_it_runs(without_example: Installed, tmp_path: Path) -> None:
    """`make run` prints a call of a route that exists, and the call succeeds."""
    project = without_example.path
    recipe = subprocess.check_output(
        ["make", "-n", "run"], cwd=project, env=environment(), encoding="utf-8"
    )
    port = free_port()
    # The command of `make run`, with free ports.
    command = [str(project / ".venv/bin/python"), "-m", "dev", "run"]
    options = ["--port", str(port), "--provider-port", str(free_port())]
    with running([*command, *options], tmp_path, {"PYTHONPATH": str(project)}) as process:
        curl = process.wait_for(r"curl -H 'Authorization: (Bearer \S+)' (\S+)\n")
        response = httpx.get(curl[2], headers={"Authorization": curl[1]}, trust_env=False)
        process.popen.terminate()
        process.popen.wait(SECONDS)

    assert recipe.splitlines()[-1] == ".venv/bin/python -m dev run"
    assert curl[2].startswith(f"http://{HOST}:{port}/")
    assert response.status_code == 200
