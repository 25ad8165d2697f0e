"""Mutation tests of the rendered code: without a rule, at least one test fails."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.combinations import Answers, name
from tests.mutations.coverage import Coverage
from tests.mutations.mutants import Mutant, mutants
from tests.mutations.unnoticed import UNNOTICED
from tests.slow.conftest import Installed, environment, install
from tests.slow.further import PACKAGES, install_packages, lay_further_tests

RUNNER = Path(__file__).parents[1] / "mutations" / "runner.py"
SECONDS = 20
"""Time limit for the tests of one mutant. A mutant that hangs counts as noticed."""
MAX_TESTS = 400
"""Tests that one mutant is run against, those that run least of the project first."""
MUTATED: list[tuple[Answers, list[str]]] = [
    (
        {"validation_mode": "introspection", "include_caching": False, "include_webhooks": False},
        ["app/auth", "app/body_limit.py", "app/health.py"],
    ),
    (
        {"validation_mode": "jwt", "include_caching": False, "include_webhooks": False},
        ["app/auth/jwt", "app/auth/verifier.py"],
    ),
    (
        {"validation_mode": "introspection", "include_caching": True, "include_webhooks": True},
        [
            "app/auth/cache",
            "app/auth/revocations.py",
            "app/settings.py",
            "app/webhooks",
        ],
    ),
    (
        {"validation_mode": "sdk", "include_caching": False, "include_webhooks": True},
        [
            "app/auth/permissions.py",
            "app/auth/principal.py",
            "app/auth/verifier.py",
            "app/webhooks/retention.py",
            "app/webhooks/signature.py",
            "avnology_id",
        ],
    ),
]
"""The combinations, and the files of each whose mutants are run."""


@pytest.fixture(scope="module", params=MUTATED, ids=lambda row: name(row[0]))
def mutated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Installed, list[str]]:
    """Install a project and note which tests run which lines."""
    answers, files = request.param
    project = install(tmp_path_factory.mktemp("mutated"), answers)
    lay_further_tests(project.path, answers)
    install_packages(project.path, *PACKAGES)
    subprocess.run(
        [project.path / ".venv/bin/python", "-m", "pytest", "-q", "--cov", "--cov-context=test"],
        cwd=project.path,
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return project, files


def test_every_mutant_is_noticed(mutated: tuple[Installed, list[str]]) -> None:
    """Exceptions are in `UNNOTICED`, with a reason."""
    project, places = mutated
    coverage = Coverage(project.path)
    jobs = [
        (file, mutant, chosen(coverage.tests(file, mutant.lines)))
        for file in python_files(project.path, places)
        for mutant in mutants((project.path / file).read_text(encoding="utf-8"))
    ]
    unnoticed = {
        f"{file}: {mutant.name}: {outcome}"
        for (file, mutant, _), outcome in zip(jobs, run_all(project, jobs), strict=True)
        if outcome not in ("killed", "endless") and f"{file}: {mutant.name}" not in UNNOTICED
    }

    assert jobs
    assert not unnoticed, "\n".join(sorted(unnoticed))


def chosen(tests: list[str]) -> list[str]:
    """Return the tests to run. Starting a server takes a second, so avoid those that do."""
    quick = [test for test in tests if "postgresql" not in test]
    return (quick or tests)[:MAX_TESTS]


def python_files(project: Path, places: list[str]) -> Iterator[str]:
    """Yield the Python files of folders and the files in `places`."""
    for place in places:
        for path in sorted(
            [project / place] if place.endswith(".py") else (project / place).rglob("*.py")
        ):
            yield path.relative_to(project).as_posix()


Job = tuple[str, Mutant, list[str]]


def run_all(project: Installed, jobs: list[Job]) -> list[str]:
    """Return the outcome of each mutant."""
    with subprocess.Popen(
        [project.path / ".venv/bin/python", RUNNER, str(SECONDS)],
        cwd=project.path,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as runner:
        return [run(runner, *job) for job in jobs]


def run(runner: "subprocess.Popen[str]", file: str, mutant: Mutant, tests: list[str]) -> str:
    """Return the outcome of one mutant."""
    if not tests:
        return "not run by any test"
    assert runner.stdin is not None
    assert runner.stdout is not None
    runner.stdin.write(json.dumps({"file": file, "source": mutant.source, "tests": tests}) + "\n")
    runner.stdin.flush()
    return runner.stdout.readline().strip()
