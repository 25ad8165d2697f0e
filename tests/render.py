"""Renders into `build/`: every combination, or one."""

import shutil
import sys
from collections.abc import Mapping

from tests.combinations import COMBINATIONS, OPTIONS, ROOT, Answer, name
from tests.project import render

BUILD = ROOT / "build"
WORDS = {"true": True, "false": False}


def main(arguments: list[str]) -> str | None:
    """Render what the arguments say. Return an error message, if there is an error."""
    what, *pairs = arguments
    if what == "all":
        for combination in COMBINATIONS:
            render_into(name(combination), combination)
        return None
    try:
        answers = dict(read_pair(pair) for pair in pairs if not pair.endswith("="))
    except ValueError as problem:
        return str(problem)
    render_into(what, answers)
    return None


def render_into(folder: str, answers: Mapping[str, Answer]) -> None:
    """Render into a folder of `build/`. Its previous contents are deleted."""
    into = BUILD / folder
    shutil.rmtree(into, ignore_errors=True)
    print(render(into, accept_hooks=False, **answers).path.relative_to(ROOT), flush=True)


def read_pair(pair: str) -> tuple[str, Answer]:
    """Return a question and its answer. Raises `ValueError` if one of them does not exist."""
    question, _, word = pair.partition("=")
    if question not in OPTIONS:
        raise ValueError(f"The template has no question {question}.")
    answer = word if word in OPTIONS[question] else WORDS.get(word, word)
    if answer not in OPTIONS[question]:
        known = ", ".join(str(option).lower() for option in OPTIONS[question])
        raise ValueError(f"{question} is one of {known}, not {word!r}.")
    return question, answer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
