"""The report about services: good ones, old ones, changed ones, broken ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import fleet
from tests.slow.test_updates import DEFAULT
from tests.updates.repository import NEXT, TREE, Releases
from tests.updates.team import grow, write


def lay(service: Path, file: str, text: str) -> Path:
    """Return the service with another text in a file."""
    write(service / file, text)
    return service


def test_a_row_says_what_a_service_is(releases: Releases) -> None:
    """The team's files are not listed, changed files of the template are."""
    new = releases.render(NEXT, **DEFAULT)
    old = releases.render(TREE, **{**DEFAULT, "validation_mode": "jwt"})
    grow(new)
    (old / "app/settings.py").unlink()

    first, second = fleet.report([new, old], releases.repository)

    assert (first.version, first.behind, first.problem) == (NEXT, 0, "")
    assert first.differs == ["pyproject.toml"]
    assert (second.version, second.behind, second.problem) == (TREE, 1, "")
    assert second.choices["validation_mode"] == "jwt"
    assert second.differs == ["app/settings.py"]


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        (".cookiecutter.json", "<<<<<<< HEAD\n", "is not JSON"),
        (".cookiecutter.json", '{"flavour": "vanilla"}', "records no version"),
        (".cookiecutter.json", '{"_template_version": "0.0.1"}', "no tag v0.0.1"),
        (".cookiecutter.json", '{"_template_version": "newest"}', "is not a version"),
        (".cookiecutter.json", f'{{"_template_version": "{TREE}"}}', "is of another template"),
        ("README.md", "a\n<<<<<<< HEAD\n", "There are merge markers in README.md."),
    ],
)
def test_a_broken_service_has_a_problem(
    releases: Releases, file: str, text: str, problem: str
) -> None:
    """The others are reported all the same."""
    good = releases.render(TREE, **DEFAULT)
    broken = lay(releases.render(TREE, **DEFAULT), file, text)

    first, second = fleet.report([broken, good], releases.repository)

    assert problem in first.problem
    assert second.problem == ""


def test_the_command_prints_a_table_or_json(
    releases: Releases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It fails if there is a problem with one of the services."""
    good = releases.render(TREE, **DEFAULT)
    capsys.readouterr()

    assert fleet.main(["report", str(good), str(tmp_path)], releases.repository) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{good}  {TREE}, 1 behind",
        "  validation_mode=introspection include_caching=true include_webhooks=false",
        f"{tmp_path}  unknown version",
        f"  problem: {tmp_path} is not a service of this template: no .cookiecutter.json.",
    ]
    assert fleet.main(["report", "--json", str(good)], releases.repository) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["service"], row["version"], row["differs"]) == (str(good), TREE, [])


def test_it_runs_from_a_checkout(releases: Releases) -> None:
    """As its documentation says."""
    service = releases.render(NEXT, **DEFAULT)
    text = subprocess.check_output(
        [sys.executable, "-m", "fleet", "report", service],
        cwd=releases.checkout(NEXT),
        encoding="utf-8",
    )

    assert text.startswith(f"{service}  {NEXT}, newest\n")
