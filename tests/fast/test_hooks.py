"""The hooks, as modules, before and after they are rendered."""

import ast
import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from cookiecutter.utils import create_env_with_context

from tests.combinations import CONTEXT, ROOT, TEMPLATE

PRE_GEN = ROOT / "hooks" / "pre_gen_project.py"
POST_GEN = ROOT / "hooks" / "post_gen_project.py"

GOOD = {
    "project_name": "Widget Service",
    "project_slug": "widget-service",
    "description": "Keeps widgets.",
    "author": "Platform Team",
    "validation_mode": "introspection",
}

BAD_SLUGS = {
    "empty": "",
    "upper case": "Widget-Service",
    "underscore": "widget_service",
    "blank": "widget service",
    "blank at the end": "widget-service ",
    "newline at the end": "widget-service\n",
    "digit first": "3d-printing",
    "digits": "42",
    "hyphen first": "-widget",
    "hyphen last": "widget-",
    "two hyphens": "widget--service",
    "dot": "widget.service",
    "here": ".",
    "parent": "..",
    "folder": "widgets/service",
    "absolute": "/widgets",
    "backslash": "widgets\\service",
    "drive": "c:widgets",
    "accent": "café",
    "other script": "שירות",
    "other digit": "widget٣",
    "long s": "widget\u017fervice",
    "emoji": "🚀",
    "shell": "widgets;ls",
    "expression": "a{{b",
    "61 characters": "a" * 61,
    "61 characters, cut at a hyphen": "a" * 59 + "-b",
    "200 digits": "1" * 200,
    "device": "con",
    "numbered device": "com0",
    "printer": "lpt9",
    "no device": "NUL",
    "dependency": "fastapi",
    "dependency of the tests": "pytest",
    "dependency with a hyphen": "httpx-aiohttp",
    "dependency in upper case": "FastAPI",
}

GOOD_SLUGS = ["a", "widget-service", "a1-2-b", "a" * 60, "console", "com10", "fastapi-service"]

BAD_TEXTS = {
    "empty": "",
    "blank": "   ",
    "no-break blank": "\u00a0",
    "newline": "one\ntwo",
    "carriage return": "one\rtwo",
    "tab": "one\ttwo",
    "null": "one\0two",
    "escape": "\x1b[31mred",
    "delete": "one\x7ftwo",
    "C1 control": "one\x9ftwo",
    "next line": "one\x85two",
    "line separator": "one\u2028two",
    "paragraph separator": "one\u2029two",
    "half a pair": "one\ud800two",
    "right-to-left override": "one\u202etwo",
    "isolate": "one\u2066two\u2069",
    "blank first": " one",
    "blank last": "one ",
    "expression": "{{ 7*7 }}",
    "nested expression": "{{{ x }}}",
    "comment": "one {# two #}",
    "block": "one # {% raw",
    "only controls": "\n\t",
}

GOOD_TEXTS = [
    "x" * 200,
    "O\"Brien's \\ `code` $HOME ${x} 100% <b> & [/] [bold] '''",
    "שירות הווידג'טים",
    "👩\u200d💻 🚀",
    "a { b } {} { {",
    "{% raw %} #{% #  {%",
    "#",
    "-",
]


def load(path: Path) -> ModuleType:
    """Import a file as a module."""
    spec = importlib.util.spec_from_file_location(f"hook_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pre_gen = load(PRE_GEN)
post_gen = load(POST_GEN)


@pytest.mark.parametrize("slug", BAD_SLUGS.values(), ids=BAD_SLUGS)
def test_a_bad_slug_is_refused_with_a_suggestion(slug: str) -> None:
    """The suggestion itself must be accepted."""
    (problem,) = pre_gen.problems({**GOOD, "project_slug": slug})

    assert problem.field == "project_slug"
    assert problem.value == slug
    assert pre_gen.problems({**GOOD, "project_slug": problem.suggestion}) == []


@pytest.mark.parametrize("slug", GOOD_SLUGS)
def test_a_good_slug_is_taken(slug: str) -> None:
    """Slugs at the limits of the rules are valid."""
    assert pre_gen.problems({**GOOD, "project_slug": slug}) == []


@pytest.mark.parametrize("field", ["project_name", "description", "author"])
@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_bad_text_is_refused_with_a_suggestion(field: str, text: str) -> None:
    """The three free texts are written to the same kinds of file."""
    (problem,) = pre_gen.problems({**GOOD, field: text})

    assert problem.field == field
    assert pre_gen.problems({**GOOD, field: problem.suggestion}) == []


@pytest.mark.parametrize("text", GOOD_TEXTS)
def test_a_good_text_is_taken(text: str) -> None:
    """Any language, any punctuation: it is escaped, not forbidden."""
    assert pre_gen.problems({**GOOD, "project_name": text, "author": text}) == []


@pytest.mark.parametrize("answer", [None, True, 5, ["x"]])
def test_only_text_is_taken_for_a_name(answer: object) -> None:
    """A program that calls cookiecutter may pass any type."""
    assert [problem.rule for problem in pre_gen.problems({**GOOD, "author": answer})] == [
        "must be text"
    ]


def test_all_problems_stand_in_one_block() -> None:
    """So the user corrects all mistakes at once."""
    bad = {"project_name": "a\nb", "project_slug": "A B", "description": "", "author": " me "}

    block = pre_gen.main({**GOOD, **bad})

    assert re.findall(r"^  (\w+): ", block, flags=re.M) == list(bad)
    assert block.count("    try: ") == 4
    assert len(block.splitlines()) == 2 + 3 * 4


def test_a_block_shows_field_value_rule_and_suggestion() -> None:
    """The whole text, as the user sees it."""
    assert pre_gen.main({**GOOD, "project_slug": "Widget_Service"}) == (
        "\n"
        "Refused, and nothing is written:\n"
        "  project_slug: 'Widget_Service'\n"
        "    must be words of a-z and 0-9 joined by single hyphens, beginning with a letter\n"
        "    try: widget-service\n"
    )


def test_a_block_cannot_be_made_to_look_different() -> None:
    """A refused answer may contain control characters, or be very long."""
    block = pre_gen.main({**GOOD, "author": "\x1b[2J\u202e" + "x" * 5000})

    assert "\x1b" not in block
    assert "\u202e" not in block.splitlines()[2]
    assert len(block.splitlines()[2]) < 120
    assert "(5005 characters)" in block


def test_good_answers_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Under cruft the hook runs twice for every update."""
    assert pre_gen.main(GOOD) is None
    assert capfd.readouterr() == ("", "")


def test_the_packages_are_those_of_the_service() -> None:
    """Of all combinations: blocks are comments, so the unrendered file lists every package."""
    pyproject = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [pyproject["project"]["dependencies"], *pyproject["dependency-groups"].values()]

    names = {re.split(r"[^\w.-]", requirement)[0] for group in groups for requirement in group}

    assert {re.sub(r"[-_.]+", "-", name).lower() for name in names} == pre_gen.DEPENDENCIES


@pytest.mark.parametrize("hook", [PRE_GEN, POST_GEN], ids=lambda path: path.stem)
@pytest.mark.parametrize(
    "text",
    [*GOOD_TEXTS, *BAD_TEXTS.values(), '"""', '\\"""', '"); import os; ("', "\\", "\\u0041"],
)
def test_answers_reach_a_hook_as_data(hook: Path, text: str, tmp_path: Path) -> None:
    """An answer never changes the code of the rendered hook."""
    answers = {**GOOD, "project_name": text, "author": text}
    context = {"cookiecutter": {**answers, "_jinja2_env_vars": CONTEXT["_jinja2_env_vars"]}}
    source = create_env_with_context(context).from_string(hook.read_text(encoding="utf-8"))
    rendered = tmp_path / "hook.py"
    rendered.write_text(source.render(**context), encoding="utf-8")

    received = json.loads(load(rendered).ANSWERS)

    assert {key: received[key] for key in answers} == answers
    assert code_of(rendered) == code_of(hook)


def code_of(hook: Path) -> list[str]:
    """Return the lines of a hook without the one that holds the answers."""
    lines = hook.read_text(encoding="utf-8").split("\n")
    return [line for line in lines if not line.startswith("ANSWERS = ")]


@pytest.mark.parametrize("hook", [PRE_GEN, POST_GEN], ids=lambda path: path.stem)
def test_a_hook_has_one_line_of_template_code(hook: Path) -> None:
    """Nothing else in a hook depends on the answers."""
    marked = [line for line in hook.read_text(encoding="utf-8").splitlines() if "{{" in line]

    assert marked == ['ANSWERS = r"""{{ cookiecutter | tojson }}"""']
    assert not re.search(r"\{#|# \{%", hook.read_text(encoding="utf-8"))


@pytest.mark.parametrize("hook", [PRE_GEN, POST_GEN], ids=lambda path: path.stem)
def test_a_hook_needs_nothing_but_python(hook: Path) -> None:
    """It runs with the Python that runs cookiecutter. No network, no git, no other program."""
    tree = ast.parse(hook.read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    allowed = {"collections.abc", "json", "pathlib", "re", "sys", "typing", "unicodedata"}
    assert imported <= allowed < {*sys.stdlib_module_names, "collections.abc"}


def test_only_empty_folders_are_removed(tmp_path: Path) -> None:
    """If all files of a folder belong to other answers, cookiecutter creates it empty."""
    for folder in ("empty/deep", "full/empty", ".git/refs/tags"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "full" / "file").touch()

    post_gen.remove_empty_folders(tmp_path)
    post_gen.remove_empty_folders(tmp_path)

    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == [".git", ".git/refs", ".git/refs/tags", "full", "full/file"]


def test_the_hook_prints_the_mode_and_two_commands(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """cookiecutter ignores a mistyped question, so the output names the mode."""
    post_gen.main({**GOOD, "_output_dir": "somewhere"}, tmp_path)

    assert capfd.readouterr().out.split("\n") == [
        "",
        "widget-service checks access tokens by introspection. Next:",
        "",
        "  cd widget-service",
        "  make run",
        "",
        "",
    ]


def test_an_update_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It renders twice, in temporary folders."""
    post_gen.main(GOOD, tmp_path)

    assert capfd.readouterr() == ("", "")
