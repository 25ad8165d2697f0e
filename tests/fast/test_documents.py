"""The README of a service agrees with its code."""

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.combinations import COMBINATIONS, Answers, name
from tests.project import Bake, Project

REFUSALS = {
    "InvalidRequest",
    "InvalidToken",
    "NoAnswer",
    "NotAuthenticated",
    "PermissionDenied",
    "ProviderUnavailable",
}
"""The exceptions whose first argument is the reason in the log."""


@pytest.fixture(params=COMBINATIONS, ids=name)
def project(request: pytest.FixtureRequest, bake: Bake) -> Project:
    """Every combination, one after the other."""
    answers: Answers = request.param
    return bake(**answers)


def reasons_of(source: str) -> Iterator[str]:
    """Yield the reasons that a module gives for refusals."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            reason = node.args[0]
            if node.func.id in REFUSALS and isinstance(reason, ast.Constant):
                yield str(reason.value)


def test_each_reason_is_in_the_readme(project: Project) -> None:
    """An operator who sees a reason in the log can look it up. None is listed that cannot occur."""
    # Webhooks have reasons of their own. The cache repeats what the verifier said.
    sources = [
        text
        for path, text in project.texts(".py").items()
        if path.startswith(("app/", "avnology_id/")) and not re.search("webhooks|cache", path)
    ]
    code = {reason for source in sources for reason in reasons_of(source)}
    section = project.read("README.md").split("## Why a request was refused")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", section, flags=re.M)
    listed = {reason for cell in cells for reason in re.findall(r"`([a-z_0-9]+)`", cell)}

    assert code - listed == set()
    assert {reason for reason in listed if not any(reason in source for source in sources)} <= {
        "status_404"
    }


def test_newer_pythons_are_allowed(project: Project) -> None:
    """The tests run on the versions that the machine has."""
    metadata = tomllib.loads(project.read("pyproject.toml"))

    assert metadata["project"]["requires-python"] == ">=3.11"
