"""The size of a project: what its owner has to read. `expected/budgets.toml` has the limits."""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Any

import pytest

from tests.combinations import COMBINATIONS, Answers, name
from tests.project import Bake

BUDGETS: dict[str, Any] = tomllib.loads(
    (Path(__file__).parent / "expected" / "budgets.toml").read_text(encoding="utf-8")
)
CODE = ("app/", "avnology_id/", "dev/")
each_combination = pytest.mark.parametrize("combination", COMBINATIONS, ids=name)


def lines(files: Mapping[str, str], *folders: str) -> int:
    """Return the number of lines in the files of some folders."""
    return sum(text.count("\n") for file, text in files.items() if file.startswith(folders))


def functions(files: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Yield the place and the number of lines of each function, nested ones included."""
    for file, text in files.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield f"{file}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def over(sizes: Mapping[str, int], limit: int) -> list[str]:
    """Return what is larger than a limit."""
    return [f"{what}: {size}" for what, size in sizes.items() if size > limit]


@each_combination
def test_app_is_within_its_budget(combination: Answers, bake: Bake) -> None:
    """With `avnology_id/`, which is the owner's to maintain too."""
    budget = BUDGETS["app"][name(combination)]
    size = lines(bake(**combination).texts(".py"), "app/", "avnology_id/")
    most, goal = (budget[limit] + BUDGETS["production"] for limit in ("most", "goal"))
    print(f"{size} lines, at most {most}, {size - goal:+} to the goal")

    assert size <= most


@each_combination
def test_dev_is_within_its_budget(combination: Answers, bake: Bake) -> None:
    """It is code for development, so less of it is better."""
    limit = BUDGETS["dev_with_webhooks" if combination["include_webhooks"] else "dev"]
    size = lines(bake(**combination).texts(".py"), "dev/")

    assert size <= limit


@each_combination
def test_tests_are_within_their_budget(combination: Answers, bake: Bake) -> None:
    """Further tests belong to `tests/proof/service/` of the template."""
    files = bake(**combination).texts(".py")
    app, size = lines(files, "app/", "avnology_id/"), lines(files, "tests/")

    assert size <= app + BUDGETS["tests_over_app"]


@each_combination
def test_files_and_functions_are_short(combination: Answers, bake: Bake) -> None:
    """Each can be read at once."""
    texts = bake(**combination).texts(".py")
    code = {file: text for file, text in texts.items() if file.startswith(CODE)}
    sizes = dict(functions(code))

    assert over({file: text.count("\n") for file, text in code.items()}, BUDGETS["file"]) == []
    assert over(sizes, BUDGETS["function"]) == []
    assert median(sizes.values()) <= BUDGETS["median_function"]


@each_combination
def test_folders_are_small(combination: Answers, bake: Bake) -> None:
    """A reader finds a file by its name."""
    files = bake(**combination).texts(".py")
    folders = Counter(str(PurePosixPath(file).parent) for file in files)

    assert over(folders, BUDGETS["files_in_folder"]) == []
