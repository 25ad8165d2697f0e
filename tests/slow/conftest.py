"""How slow tests are distributed, and the installed project that tests of a combination share."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests import OWN_ENVIRONMENT
from tests.combinations import COMBINATIONS, OPTIONS, Answers, name
from tests.commands import run
from tests.conftest import GIT
from tests.mutations.places import PLACES
from tests.project import Project, render
from tests.slow.pythons import python_for
from tests.updates.repository import Releases, make_releases

NOT_FOR_PROJECTS = re.compile(
    r"MAKE|MFLAGS|PYTEST_|COV|VIRTUAL_ENV|PYTHON(HOME|PATH|DONTWRITEBYTECODE)|HYDRA_|IDP_"
)
END_OF_A_TEST = "-o faulthandler_timeout=600 -o faulthandler_exit_on_timeout=true"
"""Options of pytest: a test that hangs ends the run after some minutes, and shows where it is."""
LONG = re.compile(r"test_generated_mutations|test_proof\[test_(inbox|revocation)")
"""Tests that take minutes."""


def scope_of(nodeid: str) -> str:
    """Return what a worker takes as a whole: all tests with one parameter."""
    test, _, parameter = nodeid.removesuffix("]").rpartition("[")
    return parameter if test else nodeid


class ByCombination(LoadScopeScheduling):  # type: ignore[misc]
    """Gives all tests of a combination to one worker, so that it is installed once."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:  # noqa: ANN401
    """Group by the parameter. Marks for groups do nothing under pytest 9.2 with xdist 3.8."""
    return ByCombination(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with projects that have a long test, so that no worker is idle at the end.

    The long test is the last one of its project, as it lays further files into it.
    """
    long = {item.nodeid for item in items if LONG.search(item.nodeid)}
    first = {scope_of(nodeid) for nodeid in long}
    scopes = list(dict.fromkeys(scope_of(item.nodeid) for item in items))

    def place(item: pytest.Item) -> tuple[bool, int, bool]:
        scope = scope_of(item.nodeid)
        return scope not in first, scopes.index(scope), item.nodeid in long

    items.sort(key=place)


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a project's own commands: nothing of these tests."""
    kept = {key: value for key, value in OWN_ENVIRONMENT.items() if not NOT_FOR_PROJECTS.match(key)}
    options = f"{END_OF_A_TEST} {more.pop('PYTEST_ADDOPTS', '')}"
    return {**kept, "UV_PYTHON_DOWNLOADS": "never", "PYTEST_ADDOPTS": options, **more}


@dataclass(frozen=True)
class Installed(Project):
    """A project that its own commands may change, with the Python they run with."""

    python: str

    def answers(self) -> Answers:
        """Return the answers of the combination, as the project records them."""
        recorded = json.loads(self.read(".cookiecutter.json"))
        return {question: recorded[question] for question in OPTIONS}

    def make(self, target: str, **variables: str) -> str:
        """Run a make target and return its output. Fails with the output."""
        # The installed packages are the same for all, so mypy checks them once.
        types = self.path.parent.parent / "mypy"
        return run(
            ["make", target, f"PYTHON={self.python}"],
            self.path,
            environment(MYPY_CACHE_DIR=str(types), **variables),
        )


@pytest.fixture(scope="session", params=COMBINATIONS, ids=name)
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    """Each combination, rendered and installed by its own command."""
    answers: Answers = request.param
    return install(tmp_path_factory.mktemp("installed"), answers, python_for(answers))


@pytest.fixture(scope="session")
def own_tests(installed: Installed) -> str:
    """The output of `make test`, which notes coverage by test where the code is mutated."""
    is_mutated = name(installed.answers()) in PLACES
    return installed.make("test", PYTEST_ADDOPTS="--cov-context=test" if is_mutated else "")


def install(into: Path, answers: Answers, python: str = sys.executable) -> Installed:
    """Render a project, commit it as its team would, and install it."""
    project = Installed(render(into, **answers).path, python)
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "Begin"]):
        subprocess.run([*GIT, *command], cwd=project.path, check=True)
    project.make("install")
    return project


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """The releases of the template: the last one, the tree, and a next one."""
    return make_releases(tmp_path_factory.mktemp("releases"))
