"""Takes a rule out of a copy of a project and looks whether the named test fails for it."""

import ast
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutations.mutation import Mutation

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".coverage")
BROKEN = re.compile(r"^FAILED .* - (?:NameError|UnboundLocalError|ImportError|ModuleNotFoundError)")
"""What a slip in the edit itself raises. That a test fails then says nothing about the rule."""


class Unproved(Exception):
    """A row that proves nothing. The text says why."""


@dataclass(frozen=True)
class Bench:
    """A project that passes its tests, and the Python and environment to run them with."""

    project: Path
    python: str
    environment: Mapping[str, str]
    time_limit: float = 60
    """Seconds for one run of tests."""
    _passing: dict[str, frozenset[str]] = field(default_factory=dict)

    def prove(self, mutation: Mutation, scratch: Path) -> None:
        """Raise `Unproved` unless the named test passes, and fails once the rule is out.

        `scratch` is a folder that does not exist yet.
        """
        source = (self.project / mutation.file).read_text(encoding="utf-8")
        mutant = edited(source, mutation)
        if not self.passes(mutation.test):
            raise Unproved(f"{mutation.test} does not pass before the edit, or is not there")
        shutil.copytree(self.project, scratch, ignore=NOT_COPIED)
        (scratch / mutation.file).write_text(mutant, encoding="utf-8")
        status, said = self._run(scratch, "-x", "-rf", mutation.test)
        if status == 0:
            raise Unproved(f"nobody noticed: {mutation.test} passes without the rule")
        failed = [line for line in said.splitlines() if line.startswith("FAILED ")]
        if status != 1 or not failed or any(map(BROKEN.match, failed)):
            raise Unproved(f"it broke, which is no proof (exit status {status})\n{said}")

    def passes(self, test: str) -> bool:
        """Tell whether a test passes in the project as it is. A file is run once, as a whole."""
        file = test.partition("::")[0]
        if file not in self._passing:
            _, said = self._run(self.project, "-rp", file)
            self._passing[file] = frozenset(
                line.removeprefix("PASSED ")
                for line in said.splitlines()
                if line.startswith("PASSED ")
            )
        return any(name == test or name.startswith(test + "[") for name in self._passing[file])

    def _run(self, folder: Path, *arguments: str) -> tuple[int, str]:
        try:
            result = subprocess.run(
                [self.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
                cwd=folder,
                # A line of the summary is cut at the width of the terminal.
                env={**self.environment, "COLUMNS": "1000", "PYTHONDONTWRITEBYTECODE": ""},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                timeout=self.time_limit,
            )
        except subprocess.TimeoutExpired:
            raise Unproved(f"no end after {self.time_limit:g} s: {arguments[-1]}") from None
        return result.returncode, result.stdout


def edited(source: str, mutation: Mutation) -> str:
    """Return the source after the edit. Raises `Unproved` when there is nothing to run."""
    times = source.count(mutation.old)
    if times != 1:
        raise Unproved(f"the old text stands {times} times in {mutation.file}")
    result = source.replace(mutation.old, mutation.new)
    try:
        tree = ast.parse(result)
    except SyntaxError as error:
        raise Unproved(f"{mutation.file} no longer parses: {error}") from None
    if ast.dump(tree) == ast.dump(ast.parse(source)):
        raise Unproved(f"the edit changes nothing in {mutation.file}")
    return result
