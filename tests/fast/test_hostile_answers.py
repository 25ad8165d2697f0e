"""Unusual but valid answers are the same in every file that repeats them."""

import io
import json
import os
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cookiecutter.main import cookiecutter

from tests.combinations import COMBINATIONS, QUESTIONS, ROOT, TEMPLATE, Answers, name
from tests.project import Bake, Project

HOSTILE = {
    "plain": "Widget Service",
    "double quotes": 'The "big" one',
    "three double quotes": '"""',
    "apostrophe": "O'Brien's",
    "three apostrophes": "'''",
    "backslashes": r"C:\new\table \\ \u0041 \" \N{DASH}",
    "backslash at the end": "one\\",
    "emoji": "🚀 👩\u200d💻 ☃",
    "right-to-left": "שירות הווידג'טים - خدمة",
    "brackets": "[/] [bold] [x](y) (a) {b} <c>",
    "closing braces": "}} %} #}",
    "another template language": "{% raw %} ${x} <%= x %> #{x}",
    "percent": "100% %s %(x)s %d",
    "dollar": "$HOME $(id) ${x}",
    "backtick": "`id`",
    "markup": "<b>bold</b> & <script>alert(1)</script>",
    "Markdown": "# * _ ~ | > - 1. ![x](y)",
    "hash": "# comment",
    "colon": "key: value, - item",
    "200 characters": "Wörter " * 28 + "Ende",
}

DESCRIBE = """
import json, runpy, sys
from app import about
from app.main import create_app
described = []
for path in sys.argv[1:]:
    vars(about).update(runpy.run_path(path))
    described.append(create_app().openapi()["info"])
json.dump(described, sys.stdout)
"""

SERVICE_ENVIRONMENT = {
    "HYDRA_INTROSPECT_URL": "http://127.0.0.1:9/admin/oauth2/introspect",
    "ACCEPT_ANY_AUDIENCE": "true",
}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """One project for each text, which is the answer to all questions with a free answer."""
    return {
        text: type_answers(
            tmp_path_factory.mktemp("named"),
            {"project_name": text, "project_slug": "named", "description": text, "author": text},
        )
        for text in HOSTILE.values()
    }


def type_answers(into: Path, answers: dict[str, str]) -> Project:
    """Render with typed answers, which cookiecutter does not render again."""
    typed = [answers.get(question, "") for question in QUESTIONS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO("\n".join([*typed, ""])))
        path = cookiecutter(str(ROOT), output_dir=str(into), default_config=True)
    return Project(Path(path))


@pytest.fixture(scope="module")
def described(
    named: dict[str, Project], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, str]]:
    """The OpenAPI `info` of each service, by its text.

    Only `about.py` differs between them, as a test below shows, so only that file is replaced.
    """
    service = tmp_path_factory.mktemp("described") / "service"
    shutil.copytree(next(iter(named.values())).path, service)
    abouts = [project.path / "app" / "about.py" for project in named.values()]
    result = subprocess.run(
        [sys.executable, "-c", DESCRIBE, *abouts],
        cwd=service,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **SERVICE_ENVIRONMENT},
    )
    assert result.returncode == 0, result.stderr
    return dict(zip(named, json.loads(result.stdout), strict=True))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_text_arrives_in_the_metadata(text: str, named: dict[str, Project]) -> None:
    """Installers read this file as TOML."""
    metadata = tomllib.loads(named[text].read("pyproject.toml"))["project"]

    assert metadata["name"] == "named"
    assert metadata["description"] == text
    assert metadata["authors"] == [{"name": text}]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_text_arrives_in_the_answers(text: str, named: dict[str, Project]) -> None:
    """The next update uses these answers."""
    answers = json.loads(named[text].read(".cookiecutter.json"))

    assert [answers[key] for key in ("project_name", "description", "author")] == [text] * 3


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_text_arrives_in_the_readme(text: str, named: dict[str, Project]) -> None:
    """Unchanged, as the title and as the first sentence."""
    readme = named[text].read("README.md")

    assert readme.startswith(f"# {text}\n")
    assert f"\n{text}\n" in readme


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_text_arrives_in_openapi(text: str, described: dict[str, dict[str, str]]) -> None:
    """Developers of clients read name and description there."""
    assert described[text]["title"] == text
    assert described[text]["description"] == text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_text_changes_no_other_file(text: str, named: dict[str, Project], bake: Bake) -> None:
    """Free text stands in one module, which holds nothing else."""
    repeats = {"pyproject.toml", "README.md", ".cookiecutter.json", "app/about.py"}
    plain = bake(project_slug="named").contents()

    changed = {
        file for file, content in named[text].contents().items() if content != plain.get(file)
    }

    assert changed <= repeats
    assert named[text].contents().keys() == plain.keys()


@pytest.mark.parametrize("combination", COMBINATIONS, ids=name)
def test_a_line_break_that_no_hook_refused_breaks_no_file(combination: Answers, bake: Bake) -> None:
    """Without hooks nothing is refused, so the derived values remove line breaks."""
    project = bake(
        accept_hooks=False,
        project_name="A\r\nB",
        project_slug="lines",
        description="a\nb\rc\td",
        author='"\n\\',
        **combination,
    )

    metadata = tomllib.loads(project.read("pyproject.toml"))["project"]
    assert metadata["description"] == "a b c d"
    assert metadata["authors"] == [{"name": '" \\'}]
    assert runpy.run_path(str(project.path / "app/about.py"))["TITLE"] == "A B"
    assert json.loads(project.read(".cookiecutter.json"))["author"] == '" \\'


def test_no_other_file_repeats_an_answer() -> None:
    """Add a new file that does to the list of the test above, and escape the answer."""
    free_text = ("project_name", "description", "author")
    repeating = {
        path.relative_to(TEMPLATE).as_posix()
        for path in TEMPLATE.rglob("*")
        if path.is_file()
        and any(
            f"cookiecutter.{prefix}{key}" in path.read_text(encoding="utf-8")
            for key in free_text
            for prefix in ("", "__")
        )
    }

    assert repeating <= {
        "pyproject.toml",
        "README.md",
        "{{ '.cookiecutter.json' }}",
        "app/about.py",
    }
