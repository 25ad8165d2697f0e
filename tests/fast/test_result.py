"""Contents of a rendered project: the right files, nothing of other choices, tidy text."""

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.combinations import COMBINATIONS, Answers, name
from tests.project import Bake, Project
from update.template import yours

EXPECTED = Path(__file__).parent / "expected"
FILES: dict[str, Any] = tomllib.loads((EXPECTED / "files.toml").read_text(encoding="utf-8"))
WORDS: dict[str, Any] = tomllib.loads((EXPECTED / "words.toml").read_text(encoding="utf-8"))


@pytest.fixture(params=COMBINATIONS, ids=name)
def combination(request: pytest.FixtureRequest) -> Answers:
    """Each combination of answers."""
    answers: Answers = request.param
    return answers


@pytest.fixture
def project(combination: Answers, bake: Bake) -> Project:
    """The project of the combination."""
    return bake(**combination)


def as_keys(combination: Answers) -> set[str]:
    """Return the answers as the data files name them: `include_caching.true`."""
    return {f"{question}.{answer}".lower() for question, answer in combination.items()}


def test_the_files_are_exactly_those_of_the_answers(combination: Answers, project: Project) -> None:
    """Each option brings the files that `expected/files.toml` lists for it, and no other."""
    expected = set(FILES["base"])
    for key in as_keys(combination):
        question, _, answer = key.partition(".")
        expected.update(FILES.get(question, {}).get(answer, []))
    for row in FILES["both"]:
        if as_keys(combination).issuperset(row["answers"]):
            expected.update(row["files"])

    files = set(project.contents())
    assert (files - expected, expected - files) == (set(), set())


def forbidden_words(combination: Answers) -> list[str]:
    """Return a pattern for every word that none of the answers allows."""
    given = as_keys(combination)
    words = [
        word
        for question, answers in WORDS.items()
        if isinstance(answers, dict) and question != "template"
        for answer, row in answers.items()
        if f"{question}.{answer}" not in given
        for word in row["only"]
    ]
    shared = [row["words"] for row in WORDS["shared"] if not given & set(row["answers"])]
    return [*words, *(word for row in shared for word in row)]


def found(words: list[str], text: str) -> list[str]:
    """Return the lines of a text that contain one of the words."""
    allowed = re.compile("|".join(WORDS["everywhere"]), re.IGNORECASE)
    searched = re.compile("|".join(words), re.IGNORECASE)
    return [line for line in text.splitlines() if searched.search(allowed.sub("", line))]


def test_nothing_is_left_of_answers_not_given(combination: Answers, project: Project) -> None:
    """No file name, import, setting, comment, test or sentence is about another choice."""
    words = forbidden_words(combination)
    texts = project.texts()
    for names_answers in (".cookiecutter.json", "app/about.py"):
        del texts[names_answers]

    left = {file: found(words, f"{file}\n{text}") for file, text in texts.items()}

    assert {file: lines for file, lines in left.items() if lines} == {}


def test_nothing_is_about_the_template(project: Project) -> None:
    """The project is the team's own. One section of the README says how to update it."""
    texts = project.texts()
    for file in (".cookiecutter.json", "app/about.py", *WORDS["template"]["except"]):
        del texts[file]

    texts["README.md"] = re.sub(
        r"^## Updates$.*?(?=^## |\Z)", "", texts["README.md"], flags=re.M | re.S
    )
    left = {file: found(WORDS["template"]["only"], text) for file, text in texts.items()}

    assert "## Updates" in project.read("README.md")
    assert {file: lines for file, lines in left.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "from jose import jwt",
        "class JWTVerifier: ...",
        "JWKS_URL",
        "token = cache.get(key)",
        "class CachedVerifier: ...",
        "store: TLRUCache[str, int]",
        "CACHE_TTL=30",
        "POST /webhooks/olympus",
        "import avnology_id",
        "sdk.oauth",
        "redis://localhost",
        "introspect",
    ],
)
def test_the_table_finds_a_word(line: str) -> None:
    """Also as a part of a name."""
    assert found(forbidden_words({}), line) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "@lru_cache",
        "Cache-Control: no-store, no-cache",
        ".mypy_cache/ and __pycache__/",
        "redistribute",
        "José",
        "A stored answer",
    ],
)
def test_the_table_leaves_other_words_alone(line: str) -> None:
    """Names of tools and of HTTP do not depend on an answer."""
    assert found(forbidden_words({}), line) == []


def test_every_file_parses(project: Project) -> None:
    """Each file is valid."""
    for text in project.texts(".py").values():
        compile(text, "rendered", "exec", ast.PyCF_ONLY_AST)
    for text in project.texts(".toml").values():
        assert tomllib.loads(text)
    for text in project.texts(".json").values():
        assert json.loads(text)
    for text in project.texts(".yaml", ".yml").values():
        assert list(yaml.safe_load_all(text))


def test_no_template_code_is_left(project: Project) -> None:
    """All template code was rendered."""
    left = {
        file: [line for line in text.splitlines() if re.search(r"(?<!\$)\{\{ |\{%|%\}|\{#", line)]
        for file, text in project.texts().items()
    }

    assert {file: lines for file, lines in left.items() if lines} == {}


def test_every_text_is_tidy(project: Project) -> None:
    """One newline at the end, no blanks before one, no holes, no carriage returns."""
    untidy = {file: untidiness(file, text) for file, text in project.texts().items()}

    assert {file: problems for file, problems in untidy.items() if problems} == {}


def untidiness(file: str, text: str) -> list[str]:
    """Return what is untidy about a text."""
    if text == "":
        return []
    holes = "\n\n\n\n" if file.endswith(".py") else "\n\n\n"
    prose = re.sub(r"^```.*?^```", "```", text, flags=re.M | re.S) if file.endswith(".md") else text
    checks = {
        "no newline at the end": not text.endswith("\n"),
        "a blank line at the end": text.endswith("\n\n"),
        "a blank line at the beginning": text.startswith("\n"),
        "a hole": holes in prose,
        "a blank at the end of a line": re.search(r"[ \t]$", text, flags=re.M),
        "a tab": "\t" in text and Path(file).name != "Makefile",
        "a carriage return": "\r" in text,
    }
    return [problem for problem, is_there in checks.items() if is_there]


def test_no_path_is_too_long_for_windows(project: Project) -> None:
    """Windows allows 260 characters, including the folder that the project is in."""
    assert all(len(file) <= 100 and file.count("/") <= 5 for file in project.contents())


def test_versions_are_bounded(project: Project) -> None:
    """A new release of a dependency must not break the service."""
    pyproject = tomllib.loads(project.read("pyproject.toml"))
    groups = [pyproject["project"]["dependencies"], *pyproject["dependency-groups"].values()]
    requirements = [requirement for group in groups for requirement in group]

    assert requirements
    assert [
        r
        for r in requirements
        if not re.fullmatch(r"[\w.-]+(\[\w+\])?>=[\d.]+,<[\d.]+(; sys_platform != 'win32')?", r)
    ] == []


def test_cruft_skips_the_files_of_the_team(project: Project) -> None:
    """Those that are marked, and no other."""
    pyproject = tomllib.loads(project.read("pyproject.toml"))

    assert pyproject["tool"]["cruft"]["skip"] == sorted(yours(project.path))


def test_no_lockfile_and_no_secret_is_shipped(project: Project) -> None:
    """The team makes its own lock file, each developer an environment file."""
    names = {Path(file).name for file in project.contents()}

    assert not {file for file in names if file.endswith(".lock") or file == ".env"}
