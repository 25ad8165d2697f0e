"""The README of a service agrees with its code."""

import ast
import re
import tomllib
from collections.abc import Container, Iterable, Iterator
from pathlib import PurePosixPath

import pytest

from tests.combinations import COMBINATIONS, Answers, name
from tests.project import Bake, Project

REFUSALS = {
    "AvnologyIdError",
    "InvalidRequest",
    "InvalidToken",
    "NotAuthenticated",
    "PermissionDenied",
    "ProviderUnavailable",
}
"""The exceptions whose first argument is the reason in the log."""
BASES = {"WrongCaller", "InsufficientScope"}
"""The exceptions that give their own reason to their base."""
YOURS_TO_BE = {"app/routes/orders.py", "tests/routes/test_orders.py"}
"""Files that a reader makes."""


@pytest.fixture(params=COMBINATIONS, ids=name)
def project(request: pytest.FixtureRequest, bake: Bake) -> Project:
    """Every combination, one after the other."""
    answers: Answers = request.param
    return bake(**answers)


def reasons_of(source: str) -> Iterator[str]:
    """Yield the reasons that a module gives for refusals."""
    tree = ast.parse(source)
    own = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name in BASES]
    given = [value for each in own for value in arguments(each, {"__init__"})]
    given += [*arguments(tree, REFUSALS), *arguments(tree, {"deadline"}, position=1)]
    for argument in given:
        # An f-string holds the number of a status.
        for node in () if isinstance(argument, ast.JoinedStr) else ast.walk(argument):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def arguments(tree: ast.AST, names: Container[str], position: int = 0) -> Iterator[ast.expr]:
    """Yield an argument of each call of something with one of `names`, in any module."""
    for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name in names and len(call.args) > position:
            yield call.args[position]


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

    assert (code | {"status_404"}) - listed == set()
    assert {reason for reason in listed if not any(reason in source for source in sources)} <= {
        "status_404"
    }


def test_newer_pythons_are_allowed(project: Project) -> None:
    """The tests run on the versions that the machine has."""
    metadata = tomllib.loads(project.read("pyproject.toml"))

    assert metadata["project"]["requires-python"] == ">=3.11"


SAYS = {
    "README.md": ["to 16 KiB", "large_client_header_buffers", "`--http h11` limits them"],
    "SECURITY.md": ["| the size of request headers, 16 KiB |"],
}
"""What an operator has to know and no code of the service shows."""


@pytest.mark.parametrize("document", SAYS)
def test_limits_of_a_proxy_are_documented(project: Project, document: str) -> None:
    """The server takes headers of any size, so a proxy has to limit them."""
    assert [text for text in SAYS[document] if text not in project.read(document)] == []
    assert "--http" not in project.read("Dockerfile")


def test_login_within_the_second_of_a_logout_is_documented(project: Project) -> None:
    """Where logouts are received. `iat` is in whole seconds."""
    says = "issued in the same second as the logout is refused" in project.read("README.md")

    assert says is ("app/auth/revocations.py" in project.contents())


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


def test_end_of_a_stream_is_documented(project: Project) -> None:
    """As that of a WebSocket, at the expiry of the token."""
    recipes = project.read("README.md").split("A **WebSocket** is protected")[1].split("\n## ")[0]

    assert "A **stream** ends in the same way" in recipes
