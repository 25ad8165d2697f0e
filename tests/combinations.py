"""Questions and answers, read from `cookiecutter.json`, so that new ones are tested at once."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"

Answer = str | bool
Answers = dict[str, Any]
"""Answers by question. `Any`, so that they can be passed as keyword arguments."""

CONTEXT: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
QUESTIONS = {key: value for key, value in CONTEXT.items() if not key.startswith("_")}


def options() -> dict[str, list[Answer]]:
    """Return the questions that have a few possible answers, with those; the default first."""
    found: dict[str, list[Answer]] = {}
    for question, default in QUESTIONS.items():
        if isinstance(default, list):
            found[question] = default
        elif isinstance(default, bool):
            found[question] = [default, not default]
    return found


OPTIONS = options()
CHOICES: dict[str, list[Answer]] = {**OPTIONS, "__platform": ["olympus", "avnology"]}
"""What selects a file: the answers, and the platform, which depends on the mode."""
COMBINATIONS: list[Answers] = [
    dict(zip(OPTIONS, answers, strict=True)) for answers in itertools.product(*OPTIONS.values())
]


def name(combination: Mapping[str, Answer]) -> str:
    """Return the name of a combination in test reports and folder names."""
    words = []
    for question, answer in combination.items():
        if isinstance(answer, str):
            words.append(answer)
        else:
            words.append(f"{'with' if answer else 'no'}-{question.removeprefix('include_')}")
    return "-".join(words)


if __name__ == "__main__":
    print(json.dumps([name(combination) for combination in COMBINATIONS]))
