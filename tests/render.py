"""Renders into `build/`: every combination, or the one that `make demo` is asked for."""

import shutil
import sys
from collections.abc import Mapping

from tests.combinations import COMBINATIONS, OPTIONS, ROOT, Answer, name
from tests.project import render

BUILD = ROOT / "build"
WORDS = {"true": True, "false": False}


def main(arguments: list[str]) -> str | None:
    """Render what is asked for. Return why it cannot be done, if so."""
    what, *pairs = arguments
    if what == "all":
        for combination in COMBINATIONS:
            render_anew(name(combination), combination)
        return None
    try:
        answers = dict(read_pair(pair) for pair in pairs if not pair.endswith("="))
    except ValueError as problem:
        return str(problem)
    render_anew(what, answers)
    return None


def render_anew(folder: str, answers: Mapping[str, Answer]) -> None:
    """Render into a folder of `build/` that holds nothing of an earlier time."""
    into = BUILD / folder
    shutil.rmtree(into, ignore_errors=True)
    print(render(into, accept_hooks=False, **answers).path.relative_to(ROOT), flush=True)


def read_pair(pair: str) -> tuple[str, Answer]:
    """Return a question and its answer. Raises `ValueError` when there is no such thing."""
    question, _, word = pair.partition("=")
    if question not in OPTIONS:
        raise ValueError(f"The template does not ask for {question}.")
    answer = word if word in OPTIONS[question] else WORDS.get(word, word)
    if answer not in OPTIONS[question]:
        known = ", ".join(str(option).lower() for option in OPTIONS[question])
        raise ValueError(f"{question} is one of {known}, not {word!r}.")
    return question, answer


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
