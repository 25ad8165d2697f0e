"""Runs tests against mutants of a project, in forks of one process that has imported all of it.

    python runner.py <seconds for a test>

Reads one mutant a line, `{"file": ..., "source": ..., "tests": [...]}` in JSON, and prints a line
for each: `killed`, a tab and the test that failed, or `survived`, `endless`, or what went wrong. A
function keeps its identity and gets the code of the mutant, so every module that imported it runs
that. This file stands alone: the project's Python runs it, and cannot import the template.
"""

import ast
import gc
import importlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType

import pytest

OPTIONS = ("-q", "-x", "-p", "no:cacheprovider", "--assert=plain", "--no-header", "--no-cov")


class Watch:
    """Limits the time of each test, and notes the one that fails. `seconds` are for a test."""

    def __init__(self, seconds: int) -> None:
        """Note no test yet."""
        self._seconds = seconds
        self.failed = ""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """End the process, by a signal, if this test takes too long."""
        signal.alarm(self._seconds)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that fails."""
        if report.failed:
            self.failed = report.nodeid


def main() -> None:
    """Import everything, then run the mutants of standard input."""
    seconds = int(sys.argv[1])
    sys.path.insert(0, os.getcwd())
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    import_all()
    # Before the freeze, as the collector does not list frozen objects.
    functions = [found for found in gc.get_objects() if isinstance(found, FunctionType)]
    gc.freeze()
    for line in sys.stdin:
        print(run(seconds, functions, **json.loads(line)), file=results, flush=True)


def import_all() -> None:
    """Import the project, its tests and all that pytest needs, so that no fork has to."""
    for folder in ("app", "avnology_id", "dev"):
        for path in sorted(Path(folder).rglob("*.py")):
            if path not in (Path("app/main.py"), Path("dev/__main__.py")):
                name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
                importlib.import_module(name)
    assert pytest.main([*OPTIONS, "--collect-only"]) == 0


def run(
    seconds: int, functions: list[FunctionType], file: str, source: str, tests: list[str]
) -> str:
    """Return the outcome of a mutant."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(10 * seconds)  # until the first test
        try:
            install(os.path.abspath(file), source, functions)
        except ValueError:
            os._exit(99)
        watch = Watch(seconds)
        code = pytest.main([*OPTIONS, *tests], plugins=[watch])
        os.write(writer, watch.failed.encode())
        os._exit(code)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        failed = pipe.read()
    code = os.waitstatus_to_exitcode(status)
    outcomes = {0: "survived", 1: f"killed\t{failed}", 2: "killed", 99: "not installed"}
    return outcomes.get(code, "endless" if code == -signal.SIGALRM else f"exit code {code}")


def install(file: str, source: str, functions: list[FunctionType]) -> None:
    """Give every function of `file` its code in `source`, and the module its texts."""
    tree = ast.parse(source)
    codes = {
        (code.co_qualname, code.co_firstlineno): code
        for code in all_codes(compile(source, file, "exec"))
    }
    (module,) = [found for found in sys.modules.values() if getattr(found, "__file__", 0) == file]
    for node in tree.body:
        match node:
            case ast.Assign([ast.Name(name)], ast.Constant(str(text))):
                setattr(module, name, text)
    for function in functions:
        code = function.__code__
        if code.co_filename == file:
            function.__code__ = codes[code.co_qualname, code.co_firstlineno]


def all_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those inside of it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from all_codes(constant)


if __name__ == "__main__":
    main()
