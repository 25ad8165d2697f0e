"""The README of a service agrees with its code."""

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

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
YOURS_TO_BE = {"app/routes/orders.py", "tests/routes/test_orders.py"}
"""Files that a reader makes."""


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


def settings_of(source: str) -> set[str]:
    """Return the variables that the classes of `app/settings.py` read."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return {
        node.target.id.upper()
        for each in classes
        for node in each.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def metrics_of(sources: Iterable[str]) -> set[str]:
    """Return the metrics that some modules define, as Prometheus shows them."""
    found = set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                kind, name = node.func.id, node.args[0]
                if kind in ("Counter", "Gauge", "Histogram") and isinstance(name, ast.Constant):
                    found.add(f"{name.value!s}_total" if kind == "Counter" else str(name.value))
    return found


def test_each_setting_is_documented(project: Project) -> None:
    """In the README's table and in `.env.example`, which name no others."""
    settings = settings_of(project.read("app/settings.py"))
    readme = project.read("README.md").split("\n## Settings")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[A-Z][^|]*`) \|", readme, flags=re.M)
    listed = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    example = set(re.findall(r"^([A-Z_]+)=", project.read(".env.example"), flags=re.M))

    assert settings == listed
    assert example == settings


def test_each_metric_is_documented(project: Project) -> None:
    """With its labels. None is listed that is not there."""
    texts = project.texts(".py")
    metrics = metrics_of(text for file, text in texts.items() if file.startswith("app/"))
    readme = project.read("README.md").split("\n### Metrics")[1].split("\n### ")[0]
    listed = set(re.findall(r"^\| `([a-z_]+)(?:\{[a-z,_]+\})?` \|", readme, flags=re.M))

    assert metrics == listed


def test_each_path_and_command_of_the_readme_exists(project: Project) -> None:
    """A reader who follows it never meets a file or a target that is not there."""
    readme, files = project.read("README.md"), set(project.contents())
    folders = {f"{parent.as_posix()}/" for file in files for parent in PurePosixPath(file).parents}
    paths = set(re.findall(r"`((?:app|avnology_id|dev|tests|deploy|\.github)/[\w./]*)`", readme))
    targets = set(re.findall(r"^([a-z]+):", project.read("Makefile"), flags=re.M))
    named = set(re.findall(r"(?:`|^    )make ([a-z]+)", readme, flags=re.M))
    modules = set(re.findall(r"python -m ([a-z._]+)", readme))

    # The reader may have no active environment.
    assert "`python -m dev" not in readme
    assert {path for path in paths if path not in files | folders} <= YOURS_TO_BE
    assert named - targets == set()
    mains = {f"{module.replace('.', '/')}/__main__.py" for module in modules}
    assert mains - files == set()
