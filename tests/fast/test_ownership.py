"""Which files belong to the team, and which modules may import which."""

import ast
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.combinations import COMBINATIONS, Answers, name
from tests.project import Bake, Project

ALLOWED: dict[str, str] = {
    r"app\.auth(\..*)?": r"(?!app\.(webhooks|routes)\b).*",
    r"app\.team_settings": r"(?!app\b).*",
    r"avnology_id(\..*)?": r"(?!app\b).*",
    r"(?!app\.main$).*": r"(?!app\.extensions\b).*",
}
"""Modules of a service, and what they may import."""


@pytest.fixture(params=COMBINATIONS, ids=name)
def project(request: pytest.FixtureRequest, bake: Bake) -> Project:
    """Each combination."""
    answers: Answers = request.param
    return bake(**answers)


def yours(project: Project) -> dict[str, str]:
    """Return the files that belong to the team."""
    texts = project.texts(".py")
    return {file: text for file, text in texts.items() if text.startswith('"""YOURS')}


def test_a_file_of_the_team_is_always_the_same(bake: Bake) -> None:
    """A change of choice must not need a change of the team's files."""
    versions: dict[str, set[str]] = {}
    for combination in COMBINATIONS:
        for file, text in yours(bake(**combination)).items():
            versions.setdefault(file, set()).add(text)

    assert "app/extensions.py" in versions
    assert [file for file, texts in versions.items() if len(texts) > 1] == []


def test_the_readme_lists_the_files_of_the_team(project: Project) -> None:
    """By name, or as all files of a folder."""
    section = project.read("README.md").split("\n## What is yours\n")[1].split("\n## ")[0]
    listed = re.findall(r"`([\w/]+(?:\.py|/))`", section)
    files = [file for file, text in project.texts(".py").items() if text]

    covered = {file for file in files if file.startswith(tuple(listed))}
    assert covered == set(yours(project))
    assert [path for path in listed if not any(file.startswith(path) for file in files)] == []


def imports(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the modules of a project, each with those of the project that it imports."""
    modules = {re.sub(r"(/__init__)?\.py$", "", file).replace("/", "."): file for file in texts}
    return {
        module: set(imported(ast.parse(texts[file]), set(modules)))
        for module, file in modules.items()
    }


def imported(tree: ast.Module, modules: set[str]) -> Iterator[str]:
    """Yield the modules of a project that one of them imports."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(package), names=names):
                for each in names:
                    member = f"{package}.{each.name}"
                    yield from {member if member in modules else package} & modules
            case ast.Import(names=names):
                yield from {each.name for each in names} & modules


def test_imports_go_one_way(project: Project) -> None:
    """The path of a request does not depend on features around it, nor the template on the team."""
    graph = imports(project.texts(".py"))
    wrong = [
        f"{module} imports {other}"
        for module, others in graph.items()
        if not module.startswith(("tests", "dev"))
        for other in others
        for one, allowed in ALLOWED.items()
        if re.fullmatch(one, module) and not re.fullmatch(allowed, other)
    ]

    assert "app.extensions" in graph["app.main"]
    assert wrong == []


def test_imports_have_no_circle(project: Project) -> None:
    """Each module can be read and imported without those that use it."""
    try:
        TopologicalSorter(imports(project.texts(".py"))).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))
