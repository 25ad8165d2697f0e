"""What a service brings for production: its documents are true, and its files are valid."""

import ast
import json
import re
from collections.abc import Iterator

import pytest

from tests.combinations import COMBINATIONS, Answers, name
from tests.project import Bake, Project

NUMBER = r"([0-9][0-9,]*) (?:seconds|bytes|days)"
UNIT = r"\(([0-9][0-9,]*) (?:seconds|bytes|days)\)"


@pytest.fixture(params=COMBINATIONS, ids=name)
def answers(request: pytest.FixtureRequest) -> Answers:
    """Every combination, one after the other."""
    answers: Answers = request.param
    return answers


@pytest.fixture
def project(answers: Answers, bake: Bake) -> Project:
    """The project of the combination."""
    return bake(**answers)


def settings_of(project: Project) -> dict[str, object]:
    """Return the settings of a service by the names of their variables, with their defaults."""
    found: dict[str, object] = {}
    for file in ("app/settings.py", "app/team_settings.py"):
        for statement in ast.walk(ast.parse(project.read(file))):
            if isinstance(statement, ast.ClassDef) and statement.name.endswith("Settings"):
                found |= {
                    field.target.id.upper(): default_of(field.value)
                    for field in statement.body
                    if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
                }
    return found


def default_of(value: ast.expr | None) -> object:
    """Return the default of a field, where it is a constant."""
    if isinstance(value, ast.Call) and value.args:
        return default_of(value.args[0])
    return value.value if isinstance(value, ast.Constant) else None


def constant_of(source: str, name: str) -> object:
    """Return the value of a constant of a module."""
    for statement in ast.parse(source).body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id == name:
            assert isinstance(statement, ast.Assign)
            return ast.literal_eval(statement.value)
    return None


def as_number(text: str) -> int:
    """Return a number that has commas between its thousands."""
    return int(text.replace(",", ""))


def test_numbers_are_the_defaults_of_the_settings(project: Project) -> None:
    """What an operator reads about time and size is what the service does."""
    text = re.sub(r"\s+", " ", project.read("SECURITY.md"))
    settings = settings_of(project)
    said = re.findall(rf"`([A-Z_]+)` {UNIT}", text)

    assert {"IDP_TIMEOUT", "REQUEST_MAX_BYTES"} <= {setting for setting, _ in said}
    assert [row for row in said if settings[row[0]] != as_number(row[1])] == []


def test_numbers_are_the_constants_of_the_code(project: Project) -> None:
    """Those that no setting changes name where they are from."""
    text = re.sub(r"\s+", " ", project.read("SECURITY.md"))
    said = re.findall(rf"{NUMBER} \(`([A-Z_]+)` in `([^`]+)`\)", text)
    code = [constant_of(project.read(file), constant) for _, constant, file in said]

    assert code == [as_number(number) for number, _, _ in said]


def statements_of(project: Project) -> Iterator[dict[str, str]]:
    """Yield the statements about advisories."""
    for file, text in project.texts(".openvex.json").items():
        assert file.startswith(".vex/")
        yield from json.loads(text)["statements"]


def test_each_statement_names_a_test_that_exists(bake: Bake) -> None:
    """The exploit is tried at the service."""
    project = bake(validation_mode="jwt")
    statements = [statement["impact_statement"] for statement in statements_of(project)]
    named = [statement.split("Test: ")[1] for statement in statements]

    assert len(named) == len(set(named)) >= 4
    for path, _, function in (test.partition("::") for test in named):
        assert f"\ndef {function}(" in project.read(path)
