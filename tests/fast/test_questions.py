"""`cookiecutter.json`: the questions are an interface, and every one has a label."""

import io
import json
import re
from pathlib import Path

import pytest
from cookiecutter.main import cookiecutter

from tests import HOME
from tests.combinations import CONTEXT, OPTIONS, QUESTIONS, ROOT
from tests.project import Bake, Project, render

QUESTIONS_IN_ORDER = [
    "project_name",
    "project_slug",
    "description",
    "author",
    "validation_mode",
    "include_caching",
    "include_webhooks",
]
"""The order of the prompts. No question is ever renamed."""

RELEASED = {"validation_mode": {"introspection", "jwt", "sdk"}}
"""Answers of existing services. If one is removed, these services cannot be updated."""


PROMPTS = CONTEXT["__prompts__"]


def test_the_questions_come_in_their_order() -> None:
    """The most important ones come first."""
    assert list(QUESTIONS) == QUESTIONS_IN_ORDER


def test_no_answer_is_ever_removed() -> None:
    """cruft refuses to update a project whose answer no longer exists."""
    assert all(values <= set(OPTIONS[question]) for question, values in RELEASED.items())


def test_readme_tells_which_mode_to_pick() -> None:
    """How to see which kind of token one has, and what each mode costs."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Which mode")[1]
    table = section.split("\n## ")[0]
    rows = re.findall(r"^\| [^|]+ \| `(\w+)` \|(?: [^|]+ \|){3}$", table, flags=re.M)

    assert rows == OPTIONS["validation_mode"]
    assert "A request costs | A revocation shows | While the provider is down" in table
    assert all(text in table for text in ("`ory_at_...` is", "`ey...`"))
    source = (ROOT / "templates/app/auth/jwt/jwks.py").read_text(encoding="utf-8")
    seconds = {key: int(value) for key, value in re.findall(r"^(\w+) = ([\d_]+)", source, re.M)}
    assert f"no call; keys are fetched every {seconds['REFRESH_AGE'] // 60} minutes" in table
    assert f"accepted for up to {seconds['HARD_LIMIT'] // 3600} hours" in table


def test_every_question_has_a_label() -> None:
    """The prompt shows a sentence, not the name of a variable."""
    assert list(PROMPTS) == list(QUESTIONS)


def test_every_choice_has_a_label() -> None:
    """A label names its value, so that people know what to type on the command line."""
    choices = {key: values for key, values in QUESTIONS.items() if isinstance(values, list)}

    for question, values in choices.items():
        labels = dict(PROMPTS[question])
        assert labels.pop("__prompt__")
        assert list(labels) == values
        assert all(label.startswith(f"{value} - ") for value, label in labels.items())


def test_labels_hold_no_markup() -> None:
    """The prompt interprets square brackets as markup, and fails on some."""
    assert not re.search(r"\[[^\"{]", json.dumps(PROMPTS))


def test_derived_values_are_text() -> None:
    """A derived boolean would be the text "False", which is true."""
    derived = [value for key, value in CONTEXT.items() if re.match("__(?!prompts__)", key)]

    assert derived
    assert all(isinstance(value, str) for value in derived)


def test_the_answers_file_holds_the_answers_and_the_version(bake: Bake) -> None:
    """Exactly these: the whole context would carry paths of the machine that rendered it."""
    answers = json.loads(bake().read(".cookiecutter.json"))

    assert answers == {
        "project_name": "Widget Service",
        "project_slug": "widget-service",
        "description": "The HTTP API of Widget Service, "
        "for callers with an OAuth 2.0 access token.",
        "author": "Platform Team",
        **{question: values[0] for question, values in OPTIONS.items()},
        "_template_version": CONTEXT["_template_version"],
    }


def test_the_answers_file_names_every_question(bake: Bake) -> None:
    """A question that is added later belongs there too."""
    answers = json.loads(bake().read(".cookiecutter.json"))

    assert list(answers) == [*QUESTIONS, "_template_version"]


def test_the_answers_file_renders_the_same_project(bake: Bake, tmp_path: Path) -> None:
    """Other tools create a project from the answers file."""
    first = bake(project_name='Say "hi" \\o/', author="O'Brien", project_slug="greeter")

    again = render(tmp_path, **json.loads(first.read(".cookiecutter.json")))

    assert again.contents() == first.contents()


@pytest.mark.parametrize("length", [1, 60, 61, 200])
def test_a_long_name_has_a_slug_that_is_short_enough(length: int, bake: Bake) -> None:
    """A derived slug must not be refused for its length, as the user did not type it."""
    project = bake(project_name=("Order " * 40)[: length - 1] + "s")

    assert 1 <= len(project.path.name) <= 60
    assert not project.path.name.endswith("-")


def test_the_home_folder_has_no_effect(bake: Bake, tmp_path: Path) -> None:
    """A developer's own defaults must not change the results of these tests."""
    settings = Path(HOME, ".cookiecutterrc")
    settings.write_text("default_context:\n  project_name: Hijacked\n", encoding="utf-8")
    try:
        without_guard = cookiecutter(str(ROOT), no_input=True, output_dir=str(tmp_path / "a"))
        guarded = render(tmp_path / "b")
    finally:
        settings.unlink()

    assert Path(without_guard).name == "hijacked"
    assert guarded.contents() == bake().contents()


def test_pressing_enter_gives_the_defaults(
    bake: Bake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every question has a default."""
    monkeypatch.setattr("sys.stdin", io.StringIO("\n" * len(QUESTIONS)))

    path = cookiecutter(str(ROOT), output_dir=str(tmp_path), default_config=True)

    assert Project(Path(path)).contents() == bake().contents()
