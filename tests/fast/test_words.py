"""Plain English in the template and in every project. `expected/plain_words.toml` has the words."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.combinations import COMBINATIONS, ROOT, Answers, name
from tests.project import Bake

LIST = Path(__file__).parent / "expected" / "plain_words.toml"
WORDS: dict[str, dict[str, str]] = tomllib.loads(LIST.read_text(encoding="utf-8"))
GAP = r"[\s#_]+"
PATTERN = re.compile(
    rf"(?<![a-z])({'|'.join(word.replace(' ', GAP) for word in WORDS['write'])})(?![a-z])", re.I
)
NOT_KEPT = {".git", *(ROOT / ".gitignore").read_text(encoding="utf-8").replace("/", "").split()}
"""Names of files and folders that are not part of the template."""


def problems(texts: Mapping[str, str]) -> list[str]:
    """Return a line for each word of the list: file, line, word, and what to write in its place."""
    found = []
    for file, text in texts.items():
        for phrase in WORDS["allowed"]:
            text = text.replace(phrase, "")
        for match in PATTERN.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            word = re.sub(GAP, " ", match[1]).lower()
            found.append(f"{file}:{line}: {word}: {WORDS['write'][word]}")
    return found


def template_texts() -> dict[str, str]:
    """Return the text of every file of the template but the list."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(ROOT.rglob("*"))
        if path.is_file() and path != LIST and NOT_KEPT.isdisjoint(path.relative_to(ROOT).parts)
    }


def test_the_template_is_in_plain_words() -> None:
    """Its documents, its tests, and the files that are rendered."""
    texts = template_texts()

    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md"} <= set(texts)
    assert problems(texts) == []


@pytest.mark.parametrize("combination", COMBINATIONS, ids=name)
def test_a_project_is_in_plain_words(combination: Answers, bake: Bake) -> None:
    """An owner reads these texts without knowing the template."""
    assert problems(bake(**combination).texts()) == []


@pytest.mark.parametrize("word", WORDS["write"])
@pytest.mark.parametrize("text", ["{}", "def {}_is(): ...", "# {}.", "is_{}", "{}-1"])
def test_the_list_finds_a_word(word: str, text: str) -> None:
    """In prose and in names, also over the end of a line."""
    for spelled in (word, word.upper(), word.replace(" ", "\n    # "), word.replace(" ", "_")):
        assert len(problems({"file": text.format(spelled)})) == 1


@pytest.mark.parametrize("text", ["recommended", "amend", "mendacious", "clear note", '"nobody"'])
def test_the_list_leaves_other_words_alone(text: str) -> None:
    """Words that only contain one of the list, and names of other things."""
    assert problems({"file": text}) == []
