"""Mutation tests of the rendered code: without a rule, at least one test fails."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.combinations import name
from tests.commands import run
from tests.mutations.coverage import Coverage
from tests.mutations.mutants import Mutant, mutants
from tests.mutations.places import MUTATED, PLACES
from tests.mutations.unnoticed import UNNOTICED
from tests.slow.conftest import Installed, environment
from tests.slow.further import PACKAGES, install_packages, lay_further_tests

RUNNER = Path(__file__).parents[1] / "mutations" / "runner.py"
SECONDS = 20
"""Time limit for one test. A mutant with which a test hangs counts as noticed."""
MAX_TESTS = 400
"""The most tests that one mutant is run against."""

Job = tuple[str, Mutant, list[str]]
"""A file, a mutant of it, and the tests that cover the change."""


@pytest.mark.parametrize("installed", MUTATED, ids=name, indirect=True)
@pytest.mark.usefixtures("own_tests")
def test_every_mutant_is_noticed(installed: Installed) -> None:
    """Exceptions are in `UNNOTICED`, with a reason."""
    cover_further_tests(installed)
    coverage = Coverage(installed.path)
    jobs = [
        (file, mutant, chosen(coverage.tests(file, mutant.lines)))
        for file in python_files(installed.path, PLACES[name(installed.answers())])
        for mutant in mutants((installed.path / file).read_text(encoding="utf-8"))
        if f"{file}: {mutant.name}" not in UNNOTICED
    ]
    unnoticed = {
        f"{file}: {mutant.name}: {outcome}"
        for (file, mutant, _), outcome in zip(jobs, run_all(installed, jobs), strict=True)
        if outcome not in ("killed", "endless")
    }

    assert jobs
    assert not unnoticed, "\n".join(sorted(unnoticed))


def cover_further_tests(project: Installed) -> None:
    """Lay the further tests beside the project's own, and add their coverage."""
    further = lay_further_tests(project.path, project.answers())
    install_packages(project.path, *PACKAGES)
    if further:
        options = ["--cov", "--cov-append", "--cov-context=test", "--cov-fail-under=0"]
        command = [".venv/bin/python", "-m", "pytest", "-q", *options, *further]
        run(command, project.path, environment())


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


def run_all(project: Installed, jobs: list[Job]) -> list[str]:
    """Return the outcome of each mutant.

    Test functions that noticed other mutants come first, as they often notice the next one too.
    """
    noticed: Counter[str] = Counter()
    outcomes = []
    with subprocess.Popen(
        [project.path / ".venv/bin/python", RUNNER, str(SECONDS)],
        cwd=project.path,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as runner:
        for file, mutant, tests in jobs:
            likely = sorted(tests, key=lambda test: -noticed[function_of(test)])
            outcome, _, test = outcome_of(runner, file, mutant, likely).partition("\t")
            noticed[function_of(test)] += 1
            outcomes.append(outcome)
    return outcomes


def function_of(test: str) -> str:
    """Return the id of a test without its parameters."""
    return test.partition("[")[0]


def outcome_of(runner: "subprocess.Popen[str]", file: str, mutant: Mutant, tests: list[str]) -> str:
    """Return the outcome of one mutant, as the runner prints it."""
    if not tests:
        return "not run by any test"
    assert runner.stdin is not None
    assert runner.stdout is not None
    runner.stdin.write(json.dumps({"file": file, "source": mutant.source, "tests": tests}) + "\n")
    runner.stdin.flush()
    return runner.stdout.readline().strip()
