"""What a service brings for production says what is true of its code."""

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.combinations import COMBINATIONS, ROOT, TEMPLATE, name
from tests.project import Bake, Project

UNIT = "(?:seconds|bytes|days)"
OF_THE_SERVER = {"FORWARDED_ALLOW_IPS"}
"""The variables that uvicorn reads itself."""
PINNED = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


@pytest.fixture(params=COMBINATIONS, ids=name)
def project(request: pytest.FixtureRequest, bake: Bake) -> Project:
    """The project of every combination, one after the other."""
    return bake(**request.param)


def settings_of(project: Project) -> dict[str, ast.expr | None]:
    """Return the settings of a service by the names of their variables, with their defaults."""
    return {
        field.target.id.upper(): field.value
        for part in ast.walk(ast.parse(project.read("app/settings.py")))
        if isinstance(part, ast.ClassDef) and part.name.endswith("Settings")
        for field in part.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


def number(expression: ast.expr | None) -> object:
    """Return the value of a field or a constant, if it is one."""
    if isinstance(expression, ast.Call) and expression.args:
        return number(expression.args[0])
    return expression.value if isinstance(expression, ast.Constant) else None


def constant(source: str, name: str) -> object:
    """Return the value of a constant of a module."""
    values = [
        statement.value
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name
    ]
    return number(values[0]) if values else None


def as_number(text: str) -> int:
    """Return a number that has commas between its thousands."""
    return int(text.replace(",", ""))


def documents_of(project: Project, name: str) -> list[Any]:
    """Return the YAML documents of a file."""
    return list(yaml.safe_load_all(project.read(name)))


def test_numbers_are_the_defaults_of_the_settings(project: Project) -> None:
    """What an operator reads about times and sizes is what the service does."""
    text = " ".join(project.read("SECURITY.md").split())
    said = re.findall(rf"`([A-Z_]+)` \(([0-9,]+) {UNIT}\)", text)
    settings = settings_of(project)

    assert {"IDP_TIMEOUT", "REQUEST_MAX_BYTES"} <= {setting for setting, _ in said}
    assert [row for row in said if number(settings[row[0]]) != as_number(row[1])] == []


def test_numbers_are_the_constants_of_the_code(project: Project) -> None:
    """Those that no setting changes name where they are from."""
    text = " ".join(project.read("SECURITY.md").split())
    said = re.findall(rf"([0-9,]+) {UNIT} \(`([A-Z_]+)` in `([^`]+)`\)", text)
    code = [constant(project.read(file), constant_name) for _, constant_name, file in said]

    assert code == [as_number(text) for text, _, _ in said]


def test_each_statement_about_an_advisory_names_a_test(bake: Bake) -> None:
    """The exploit is tried at the service."""
    project = bake(validation_mode="jwt")
    (text,) = project.texts(".openvex.json").values()
    statements = [statement["impact_statement"] for statement in json.loads(text)["statements"]]
    tests = [statement.split(" Test: ")[1].split("::") for statement in statements]

    assert len(tests) >= 4
    assert [test for test in tests if f"\ndef {test[1]}(" not in project.read(test[0])] == []


def required(project: Project) -> set[str]:
    """Return the settings without a default, and one of those that say whose tokens count."""
    return {setting for setting, default in settings_of(project).items() if default is None} | {
        "AUDIENCE"
    }


def test_compose_sets_settings_of_this_service(project: Project) -> None:
    """All that it needs, and nothing that it does not know."""
    (document,) = documents_of(project, "compose.yaml")
    services = document["services"]
    variables = set(services["service"]["environment"])

    assert required(project) <= variables <= set(settings_of(project))
    assert all("healthcheck" in services[other] for other in set(services) - {"service", "clients"})
    waits = {row for service in services.values() for row in service.get("depends_on", ())}
    assert waits == set(services) - {"service"}


def test_kubernetes_sets_settings_of_this_service(project: Project) -> None:
    """Those that are secret are in the command that makes the secret."""
    (config,) = documents_of(project, "deploy/config.yaml")
    secrets = set(re.findall(r"--from-literal=(\w+)=", project.read("deploy/config.yaml")))
    (deployment,) = documents_of(project, "deploy/deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    variables = set(config["data"]) | secrets
    assert required(project) <= variables <= set(settings_of(project)) | OF_THE_SERVER
    assert ("secretRef" in str(container["envFrom"])) == bool(secrets)


def test_alerts_name_metrics_of_this_service(project: Project) -> None:
    """An alert on a metric that does not exist never fires."""
    (document,) = documents_of(project, "deploy/monitoring/alerts.yaml")
    rules = document["spec"]["groups"][0]["rules"]
    code = "".join(text for file, text in project.texts(".py").items() if file.startswith("app/"))
    named = {metric for rule in rules for metric in re.findall(r"(\w+)\{", rule["expr"])}
    counted = set(re.findall(r'(?:Counter|Gauge|Histogram)\w*\(\s*"(\w+)"', code))

    assert named
    assert {metric.removesuffix("_total") for metric in named} <= counted


def test_what_agents_read_exists(project: Project) -> None:
    """Each path and each command, on at most 60 lines."""
    text = project.read("AGENTS.md")
    quoted = re.findall(r"`([^`]+)`", text)
    dev = "".join(text for file, text in project.texts(".py").items() if file.startswith("dev/"))
    targets = re.findall(r"^([a-z]+):", project.read("Makefile"), flags=re.M)
    paths = [text for text in quoted if re.fullmatch(r"[\w/]+/[\w./]+|\w+\.(md|toml)|tests", text)]
    paths += [text.split()[1] for text in quoted if text.startswith(".venv/bin/pytest")]

    assert text.count("\n") <= 60
    assert [path for path in paths if not (project.path / path).exists()] == []
    assert {text.split()[1] for text in quoted if text.startswith("make ")} <= set(targets)
    for command in re.findall(r"-m dev (\w+)", text):
        assert f'add_parser("{command}"' in dev


def test_hooks_run_tools_of_the_project(project: Project) -> None:
    """Before a commit, with the versions that the project asks for."""
    (document,) = documents_of(project, ".pre-commit-config.yaml")
    entries = [hook["entry"] for repo in document["repos"] for hook in repo["hooks"]]
    groups = tomllib.loads(project.read("pyproject.toml"))["dependency-groups"]
    tools = {requirement.split(">=")[0] for requirement in groups["dev"]}

    assert {entry.split()[0].removeprefix(".venv/bin/") for entry in entries} <= tools
    folders = [word for entry in entries for word in entry.split()[1:] if word.isidentifier()]
    assert {"app", "dev", "tests"} <= set(folders)


@pytest.mark.parametrize("repository", [ROOT, TEMPLATE], ids=["template", "service"])
def test_workflows_pin_actions_by_commit(repository: Path) -> None:
    """A tag can be moved to other code. The version is beside it, so that it can be updated."""
    text = (repository / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    used = [line for line in text.splitlines() if "uses:" in line]

    assert used
    assert [line for line in used if not PINNED.search(line)] == []
