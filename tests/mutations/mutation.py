"""A row of the table: an edit of a rendered project that takes one rule out."""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.combinations import COMBINATIONS, Answer, Answers
from tests.mutations import tables


@dataclass(frozen=True)
class Mutation:
    """An edit after which a test has to fail."""

    rule: str
    """What the edit takes out, in a few words; starts with the row of the attack list if any."""
    file: str
    """Python file, from the folder of the rendered project."""
    old: str
    """Stands there exactly once."""
    new: str
    test: str
    """Node id, or a function of which every parameter counts. It passes before the edit."""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """What has to be answered for the rule to be there. Nothing: it is there whatever is."""
    needs: str = ""
    """The program that the test runs beside, if it does."""

    def combination(self) -> Answers:
        """Return the combination to prove the rule in: the first one with these answers."""
        return next(answers for answers in COMBINATIONS if self.belongs_to(answers))

    def file_of_tests(self) -> str:
        """Return the file that the test is in."""
        return self.test.partition("::")[0]

    def belongs_to(self, combination: Mapping[str, Answer]) -> bool:
        """Tell whether the rule is there in a combination."""
        return self.answers.items() <= combination.items()


def read_tables() -> list[Mutation]:
    """Return the rows of every table, in the order of the tables' names."""
    rows: list[Mutation] = []
    for module in sorted(found.name for found in pkgutil.iter_modules(tables.__path__)):
        rows += importlib.import_module(f"{tables.__name__}.{module}").MUTATIONS
    return rows
