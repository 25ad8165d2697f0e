"""Takes a rule out of a copy of a project and looks whether the named test fails for it."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from tests.mutations.mutation import Mutation

NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".coverage")
FORKS = Path(__file__).with_name("forks.py")
IMPORTED = (
    "_hypothesis_pytestplugin",
    "anyio.pytest_plugin",
    "fastapi",
    "httpx_aiohttp",
    "hypothesis",
    "jose.jwt",
    "pytest_cov.plugin",
    "redis.asyncio",
    "starlette.testclient",
    "uvicorn",
)
"""Most of the time of a short run goes into these."""
OPTIONS = ("-q", "-p", "no:cacheprovider", "--assert=plain")
"""What is imported already cannot have its assertions rewritten, which would be a warning."""
BROKEN = re.compile(r"^FAILED .* - (?:NameError|UnboundLocalError|ImportError|ModuleNotFoundError)")
"""What a slip in the edit itself raises. That a test fails then says nothing about the rule."""
NOT_FOUND = 4
"""Exit status of pytest for a test that is not there; it runs no other one then."""


class Unproved(Exception):
    """A row that proves nothing. The text says why."""


class Bench:
    """A project that passes its tests, and a process of its Python to run them in."""

    def __init__(
        self, project: Path, forks: "subprocess.Popen[str]", tests: Collection[str]
    ) -> None:
        """Take a rendered project, a running `forks.py`, and the tests that rows name."""
        self._project = project
        self._forks = forks
        self._tests = tests
        self._passing: dict[str, frozenset[str]] = {}

    def prove(self, mutation: Mutation, scratch: Path) -> None:
        """Raise `Unproved` unless the named test passes, and fails once the rule is out.

        `scratch` is a folder that does not exist yet.
        """
        source = (self._project / mutation.file).read_text(encoding="utf-8")
        mutant = edited(source, mutation)
        if not self.passes(mutation.test):
            raise Unproved(f"{mutation.test} does not pass before the edit, or is not there")
        shutil.copytree(self._project, scratch, ignore=NOT_COPIED)
        broken = scratch / mutation.file
        broken.write_text(mutant, encoding="utf-8")
        # What is compiled already stays, for it is told apart by its time and size.
        for compiled in broken.parent.glob(f"__pycache__/{broken.stem}.*"):
            compiled.unlink()
        status, said = self._run(scratch, "-x", "-rf", mutation.test)
        if status == 0:
            raise Unproved(f"nobody noticed: {mutation.test} passes without the rule")
        failed = [line for line in said.splitlines() if line.startswith("FAILED ")]
        if status != 1 or not failed or any(map(BROKEN.match, failed)):
            raise Unproved(f"it broke, which is no proof (exit status {status})\n{said}")

    def passes(self, test: str) -> bool:
        """Tell whether a test passes in the project as it is. All of a file are run at once."""
        file = test.partition("::")[0]
        if file not in self._passing:
            named = sorted(other for other in self._tests if other.startswith(f"{file}::"))
            status, said = self._run(self._project, "-rp", *named)
            if status == NOT_FOUND:
                _, said = self._run(self._project, "-rp", file)
            self._passing[file] = frozenset(
                line.removeprefix("PASSED ")
                for line in said.splitlines()
                if line.startswith("PASSED ")
            )
        return any(name == test or name.startswith(test + "[") for name in self._passing[file])

    def _run(self, folder: Path, *arguments: str) -> tuple[int, str]:
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        with NamedTemporaryFile("r", encoding="utf-8") as output:
            command = [os.fspath(folder), output.name, *OPTIONS, *arguments]
            self._forks.stdin.write(json.dumps(command) + "\n")
            self._forks.stdin.flush()
            status = int(self._forks.stdout.readline())
            if status == -signal.SIGALRM:
                raise Unproved(f"no end of {arguments[-1]}")
            return status, output.read()


@contextmanager
def open_bench(
    project: Path,
    python: str,
    environment: Mapping[str, str],
    tests: Collection[str],
    time_limit: int = 60,
) -> Iterator[Bench]:
    """Open a bench for a project and rows that name `tests`.

    `time_limit` in seconds, for one run of tests.
    """
    # A line of the summary is cut at the width of the terminal.
    variables = {**environment, "COLUMNS": "1000", "PYTHONDONTWRITEBYTECODE": ""}
    with subprocess.Popen(
        [python, FORKS, str(time_limit), *IMPORTED],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as forks:
        yield Bench(project, forks, tests)


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
