"""Every combination passes its own commands and keeps the HTTP contract."""

import re
import subprocess

import pytest

from tests.combinations import COMBINATIONS, OPTIONS, name
from tests.demo.calls import make_calls
from tests.mutations.places import MUTATED
from tests.slow.conftest import Installed
from tests.slow.pythons import VERSIONS, find_python, python_for, version_of

COVERAGE = 95
"""Percent of a service's code that its own tests cover, at least."""
CALLS = {
    ("good token", 200),
    ("good token", 201),
    ("no Authorization header", 401),
    ("malformed token", 401),
    ("expired token", 401),
    ("token of another client", 401),
    ("token without our audience", 401),
    ("scope is missing", 403),
}
"""Calls and statuses of every demo."""
CALLS_OF_MODE = {
    "introspection": {("revoked token", 401), ("provider gone", 503)},
    "jwt": {("revoked token", 200), ("provider gone", 200)},
    "sdk": {("revoked token", 401), ("provider gone", 503)},
}
"""Further ones of each mode."""
CALLS_WITH_CACHING = {
    ("revoked, cached", 200),
    ("provider gone, cached", 200),
    ("provider gone, cached, scope is missing", 403),
}
"""Further ones with caching."""
CALLS_WITH_BOTH = {("before the event", 200), ("after the event", 401)}
"""Further ones of a service that receives revocations."""


def test_it_passes_its_own_checks(installed: Installed) -> None:
    """As rendered: without a finding of linter, formatter or type checker."""
    said = installed.make("check")

    assert "All checks passed!" in said
    assert "Success: no issues found" in said


def test_it_passes_its_own_tests(installed: Installed, own_tests: str) -> None:
    """Without warnings, and with the Python of the combination."""
    assert f"-- Python {version_of(installed.python)}." in own_tests
    (closing,) = re.findall(r"^=+ (.* passed.*) in .*=+$", own_tests, flags=re.M)
    assert not re.search(r"failed|error|warning", closing)
    print(closing)


@pytest.mark.parametrize("installed", MUTATED, ids=name, indirect=True)
def test_its_tests_cover_it(own_tests: str) -> None:
    """More than its own limit asks for, which leaves a team's first commit some room."""
    (percent,) = re.findall(r"^Required test .* Total coverage: ([\d.]+)%", own_tests, flags=re.M)

    assert float(percent) >= COVERAGE


def test_it_keeps_the_contract(installed: Installed) -> None:
    """It runs beside its local provider, and is called with good and bad tokens."""
    answers = installed.answers()
    rows = make_calls(installed.path, answers)
    expected = CALLS | CALLS_OF_MODE[str(answers["validation_mode"])]
    if answers["include_caching"]:
        expected |= CALLS_WITH_CACHING
    if answers["include_caching"] and answers["include_webhooks"]:
        expected |= CALLS_WITH_BOTH

    assert [row for row in rows if not row.good] == []
    seen = {(row.call.split("  ", 1)[1], row.seen.status) for row in rows if "/widgets" in row.call}
    assert seen >= expected


def test_packages_that_nothing_imports_stay_away(installed: Installed) -> None:
    """python-jose asks for those of a backend that is not used; ecdsa has CVE-2024-23342."""
    found = installed.path.glob(".venv/lib/python3*/site-packages/*.dist-info")
    packages = {path.name.split("-")[0] for path in found}

    assert "uvicorn" in packages
    assert packages.isdisjoint({"ecdsa", "pyasn1", "rsa", "watchfiles"})


@pytest.mark.parametrize("version", VERSIONS)
def test_each_answer_is_tested_with_each_python(version: str) -> None:
    """Of the versions that this machine has."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version}: another one runs the combinations in its place")
    met = [combination for combination in COMBINATIONS if python_for(combination) == python]

    assert all({row[question] for row in met} == set(OPTIONS[question]) for question in OPTIONS)


def test_its_commands_leave_nothing_to_commit(installed: Installed) -> None:
    """No tool changes a file, and files that tools write are ignored by git."""
    status = subprocess.run(
        ["git", "status", "--porcelain"],
        cwd=installed.path,
        check=True,
        capture_output=True,
        encoding="utf-8",
    )

    assert set(status.stdout.splitlines()) <= {"?? uv.lock"}
