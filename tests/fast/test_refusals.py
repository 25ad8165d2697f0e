"""Bad answers, given to cookiecutter itself: refused, and no file is written."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cookiecutter.exceptions import FailedHookException, UndefinedVariableInTemplate
from cookiecutter.main import cookiecutter
from jinja2 import TemplateSyntaxError

from tests.combinations import OPTIONS, QUESTIONS, ROOT, Answers
from tests.project import render

REFUSED: Answers = {
    "slug in upper case": {"project_slug": "Widget_Service"},
    "slug with a newline": {"project_slug": "widget\n"},
    "slug too long": {"project_slug": "a" * 61},
    "slug of a device": {"project_slug": "con"},
    "slug of a package": {"project_slug": "fastapi"},
    "blank name": {"project_name": " "},
    "empty name": {"project_name": ""},
    "name in two lines": {"project_name": "Widget\nService"},
    "blank description": {"description": ""},
    "description with an escape": {"description": "\x1b[31m"},
    "description that is turned around": {"description": "\u202eecivres"},
    "author with a separator": {"author": "Platform\u2028Team"},
    "author with half a pair": {"author": "\udcff"},
}

BLOCK = "\nRefused, and nothing is written:\n"


@pytest.mark.parametrize("answers", REFUSED.values(), ids=REFUSED)
def test_a_bad_answer_leaves_nothing_behind(
    answers: Answers, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One block on standard error says what to do, and the folder stays empty."""
    with pytest.raises(FailedHookException):
        render(tmp_path, **answers)

    said = capfd.readouterr()
    assert said.err.count(BLOCK) == 1
    assert all(f"  {question}: " in said.err for question in answers)
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_the_suggestion_is_accepted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As it is printed."""
    with pytest.raises(FailedHookException):
        render(tmp_path, project_slug="Widget_Service")
    suggestion = capfd.readouterr().err.partition("    try: ")[2].splitlines()[0]

    assert render(tmp_path, project_slug=suggestion).path.name == "widget-service"


def test_a_derived_slug_is_refused_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The user did not type it, so the block says what to type."""
    with pytest.raises(FailedHookException):
        render(tmp_path, project_name="3D Printing")

    assert "  project_slug: '3d-printing'\n" in capfd.readouterr().err


def test_a_project_that_exists_is_not_harmed(tmp_path: Path) -> None:
    """A refusal deletes only files that cookiecutter has just written."""
    kept = tmp_path / "widget-service" / "kept"
    kept.parent.mkdir()
    kept.touch()

    with pytest.raises(FailedHookException):
        cookiecutter(
            str(ROOT),
            no_input=True,
            overwrite_if_exists=True,
            extra_context={"author": " "},
            output_dir=str(tmp_path),
            default_config=True,
        )

    assert list(tmp_path.rglob("*")) == [kept.parent, kept]


def test_the_command_fails_too(tmp_path: Path) -> None:
    """A pipeline notices the exit code."""
    result = subprocess.run(
        [sys.executable, "-m", "cookiecutter", ROOT, "--no-input", "-o", tmp_path, "author= "],
        capture_output=True,
        encoding="utf-8",
    )

    assert result.returncode != 0
    assert BLOCK + "  author: ' '\n" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="arguments are text there, not bytes")
def test_an_argument_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """A terminal with another encoding passes bytes that are not UTF-8."""
    result = subprocess.run(
        [sys.executable, "-m", "cookiecutter", ROOT, "--no-input", "-o", tmp_path, b"author=\xff"],
        capture_output=True,
        encoding="utf-8",
    )

    assert result.returncode != 0
    assert BLOCK in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("question", OPTIONS)
def test_a_choice_that_does_not_exist_is_refused(question: str, tmp_path: Path) -> None:
    """A mistyped mode must not become the default mode."""
    answers: Answers = {question: "nonsense"}
    with pytest.raises(ValueError, match=question):
        render(tmp_path, **answers)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{{ 7*7 }}", "{{", "{# x #}", "# {% raw", "# {% if x %}"])
def test_template_code_that_is_typed_is_refused(
    text: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is plain text now, but an update would run it as code."""
    answers = {"project_name": "", "project_slug": "", "description": "", "author": text}
    typed = [answers.get(question, "") for question in QUESTIONS]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join([*typed, ""])))

    with pytest.raises(FailedHookException):
        cookiecutter(str(ROOT), output_dir=str(tmp_path), default_config=True)

    assert f"  author: {text!r}\n" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_template_code_on_the_command_line_is_cookiecutter_own(tmp_path: Path) -> None:
    """cookiecutter renders it before any hook runs. CONTRIBUTING.md says so."""
    project = render(tmp_path, author="{{ 7*7 }}")

    assert 'authors = [{ name = "49" }]' in project.read("pyproject.toml")


@pytest.mark.parametrize("text", ["{{", "{# x", "# {% raw", "{{ nothing }}"])
def test_broken_template_code_on_the_command_line_writes_nothing(text: str, tmp_path: Path) -> None:
    """cookiecutter itself fails on it, before it creates a folder."""
    with pytest.raises((TemplateSyntaxError, UndefinedVariableInTemplate)):
        render(tmp_path, author=text)

    assert list(tmp_path.iterdir()) == []
