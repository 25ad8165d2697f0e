"""Which tests run a line of a project."""

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path


class Coverage:
    """The data that `pytest --cov --cov-context=test` wrote in a project."""

    def __init__(self, project: Path) -> None:
        """Read the data of a project."""
        self._project = project
        with closing(sqlite3.connect(project / ".coverage")) as database:
            files = dict(database.execute("SELECT path, id FROM file"))
            contexts = dict(database.execute("SELECT id, context FROM context"))
            arcs = database.execute("SELECT file_id, context_id, tono FROM arc").fetchall()
        self._files: Mapping[str, int] = files
        self._tests: dict[tuple[int, int], set[str]] = {}
        self._length: dict[str, int] = {}
        for file, context, line in arcs:
            # A context is the id of a test and its phase: `test_x.py::test_y|run`
            test = contexts[context].partition("|")[0]
            if test:
                self._tests.setdefault((file, line), set()).add(test)
                self._length[test] = self._length.get(test, 0) + 1

    def tests(self, file: str, lines: Collection[int]) -> list[str]:
        """Return the tests of a file, those first that run one of some lines, then the shortest.

        Lines that run after a greenlet was switched to may be missing in the data, so that other
        tests of the file may run them too.
        """
        number = self._files.get(str(self._project / file))
        if number is None:
            return []
        first = set().union(*(self._tests.get((number, line), set()) for line in lines))
        found = set().union(*(tests for (each, _), tests in self._tests.items() if each == number))
        return sorted(found, key=lambda test: (test not in first, self._length[test], test))
