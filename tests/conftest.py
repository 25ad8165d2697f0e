"""Fixtures of all tests of the template."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.combinations import ROOT, TEMPLATE, Answer
from tests.project import Bake, Project, render

GIT = ("git", "-c", "user.name=Tests", "-c", "user.email=tests@example.org")


@pytest.fixture(scope="session")
def bake(tmp_path_factory: pytest.TempPathFactory) -> Bake:
    """Return a function that renders. It renders once for each set of answers."""
    baked: dict[tuple[object, ...], Project] = {}

    def bake(*, accept_hooks: bool = True, **answers: Answer) -> Project:
        key = (accept_hooks, *sorted(answers.items()))
        if key not in baked:
            into = tmp_path_factory.mktemp("baked")
            baked[key] = render(into, accept_hooks=accept_hooks, **answers)
        return baked[key]

    return bake


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template, committed to a new repository, as cruft needs it."""
    path = tmp_path_factory.mktemp("repository") / "olympus-fastapi"
    path.mkdir()
    shutil.copy(ROOT / "cookiecutter.json", path)
    for folder in ("hooks", "templates", TEMPLATE.name):
        ignore = shutil.ignore_patterns("__pycache__", ".*_cache", ".venv")
        shutil.copytree(ROOT / folder, path / folder, ignore=ignore)
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "As is"]):
        subprocess.run([*GIT, *command], cwd=path, check=True)
    return path
