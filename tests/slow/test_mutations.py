"""Every rule about tokens and answers is missed by a test when it is gone."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.combinations import COMBINATIONS, Answers, name
from tests.mutations.bench import Bench, Unproved, open_bench
from tests.mutations.mutation import Mutation, read_tables
from tests.mutations.rules import untouched
from tests.project import Bake
from tests.slow.conftest import environment, install
from tests.slow.test_generated_mutations import MUTATED

MUTATIONS = read_tables()


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Answers], Bench]]:
    """Render and install a combination when its first row comes."""
    benches: dict[str, Bench] = {}
    opened = ExitStack()

    def bench(combination: Answers) -> Bench:
        key = name(combination)
        if key not in benches:
            project = install(tmp_path_factory.mktemp("bench"), combination)
            python = os.fspath(project.path / ".venv" / "bin" / "python")
            tests = {row.test for row in MUTATIONS if row.combination() == combination}
            benches[key] = opened.enter_context(
                open_bench(project.path, python, environment(), tests)
            )
        return benches[key]

    with opened:
        yield bench


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_a_rule_that_is_gone_is_missed(
    mutation: Mutation, bench: Callable[[Answers], Bench], tmp_path: Path
) -> None:
    """The named test passes as the project is, and fails without the rule."""
    if mutation.needs and shutil.which(mutation.needs) is None:
        pytest.skip(f"{mutation.needs} is not installed")
    problem = ""
    try:
        bench(mutation.combination()).prove(mutation, tmp_path / "mutant")
    except Unproved as unproved:
        problem = str(unproved)
    if problem:
        pytest.fail(problem, pytrace=False)


@pytest.mark.parametrize("combination", COMBINATIONS, ids=name)
def test_every_rule_has_a_row(bake: Bake, combination: Answers) -> None:
    """Each `check_...` and each `raise` of the service, but for the routes, which are examples.

    Mutants of the other files are generated.
    """
    generated = tuple(place for _, places in MUTATED for place in places)
    sources = {
        file: text
        for file, text in bake(**combination).texts(".py").items()
        if file.startswith("app/") and not file.startswith(("app/routes/", *generated))
    }
    rows = [row for row in MUTATIONS if row.belongs_to(combination)]

    assert untouched(sources, rows) == []


def test_every_row_has_a_name_of_its_own() -> None:
    """It is what a report and a worker know the row by."""
    names = Counter(row.rule for row in MUTATIONS)

    assert [rule for rule, times in names.items() if times > 1] == []


SOURCE = """
LIMIT = 10  # the most


def check_size(size: int) -> None:
    if size > LIMIT:
        raise ValueError("size")


def check_sign(size: int) -> None:
    if size < 0:
        raise ValueError("sign")
"""
TESTS = """
import time

import pytest

from rules import LIMIT, check_sign, check_size


@pytest.mark.parametrize("size", [11, 99])
def test_size(size):
    with pytest.raises(ValueError, match="size"):
        check_size(size)


def test_limit():
    check_size(10)


def test_failing():
    assert LIMIT == 11


@pytest.mark.skip
def test_skipped():
    assert LIMIT == 10


@pytest.fixture
def limited():
    check_size(10)


def test_with_a_fixture(limited):
    pass


def test_in_time():
    while LIMIT != 10:
        time.sleep(0.01)
"""


def row(old: str, new: str, test: str = "test_size") -> Mutation:
    """Return a row about the project with two rules."""
    return Mutation("rule", "rules.py", old, new, f"test_rules.py::{test}")


UNPROVED = {
    "no-change": (row("LIMIT = 10", "LIMIT = 10"), "changes nothing"),
    "comment": (row("# the most", "# at most"), "changes nothing"),
    "not-there": (row("LIMIT = 9", "LIMIT = 11"), "stands 0 times"),
    "there-twice": (row("ValueError", "KeyError"), "stands 2 times"),
    "no-python": (row("LIMIT = 10", "LIMIT = ="), "no longer parses"),
    "unnoticed": (row("size < 0", "False"), "nobody noticed"),
    "unnoticed-parameter": (row("size > LIMIT", "size > 50", "test_size[99]"), "nobody noticed"),
    "no-such-test": (row("size > LIMIT", "False", "test_sizes"), "does not pass before"),
    "no-such-parameter": (row("size > LIMIT", "False", "test_size[1]"), "does not pass before"),
    "failing-before": (row("size > LIMIT", "False", "test_failing"), "does not pass before"),
    "skipped": (row("size > LIMIT", "False", "test_skipped"), "does not pass before"),
    "not-imported": (row("LIMIT = 10", "MOST = 10"), "it broke"),
    "no-such-name": (row("size > LIMIT", "size > MOST", "test_limit"), "it broke"),
    "fixture": (row("size > LIMIT", "size >= LIMIT", "test_with_a_fixture"), "it broke"),
    "endless": (row("LIMIT = 10", "LIMIT = 11", "test_in_time"), "no end"),
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Open the bench of a project with two rules, of which only the first one is tested."""
    path = tmp_path_factory.mktemp("tiny")
    (path / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n')
    (path / "rules.py").write_text(SOURCE)
    (path / "test_rules.py").write_text(TESTS)
    tests = {mutation.test for mutation, _ in UNPROVED.values()}
    with open_bench(path, sys.executable, environment(), tests, time_limit=5) as bench:
        yield bench


@pytest.mark.parametrize("test", ["test_size", "test_size[11]"])
def test_a_rule_that_is_missed_is_proved(tiny: Bench, tmp_path: Path, test: str) -> None:
    """By a test, or by one parameter of it."""
    tiny.prove(row("size > LIMIT", "size > 99", test), tmp_path / "mutant")


@pytest.mark.parametrize(("mutation", "problem"), UNPROVED.values(), ids=UNPROVED)
def test_a_row_that_proves_nothing_is_reported(
    tiny: Bench, tmp_path: Path, mutation: Mutation, problem: str
) -> None:
    """Otherwise a typing error in the table would look like a proof."""
    with pytest.raises(Unproved, match=problem):
        tiny.prove(mutation, tmp_path / "mutant")


def test_a_rule_without_a_row_is_reported() -> None:
    """A `check_...` as a whole, and its `raise` with the `if` that decides."""
    rows = [row("size > LIMIT", "False")]

    assert untouched({"rules.py": SOURCE}, rows) == [
        "rules.py:10: check_sign",
        "rules.py:11: raise ValueError('sign')",
    ]
