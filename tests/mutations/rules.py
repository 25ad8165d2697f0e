"""Which rules a project has, read from its code, and which of them no row takes out."""

import ast
from collections.abc import Iterable, Iterator, Mapping

from tests.mutations.mutation import Mutation

Rule = tuple[str, range]
"""What a rule is called, and the lines that it stands on."""


def untouched(sources: Mapping[str, str], mutations: Iterable[Mutation]) -> list[str]:
    """Return the rules of a project's `sources` (text by file) that no mutation edits."""
    rows = list(mutations)
    missing = []
    for file, source in sources.items():
        edits = [lines(source, row.old) for row in rows if row.file == file and row.old in source]
        missing += [
            f"{file}:{where.start}: {rule}"
            for rule, where in rules(ast.parse(source))
            if not any(where.start < edit.stop and edit.start < where.stop for edit in edits)
        ]
    return missing


def lines(source: str, part: str) -> range:
    """Return the lines that a part of a source stands on."""
    first = source[: source.index(part)].count("\n") + 1
    return range(first, first + part.rstrip("\n").count("\n") + 1)


def rules(tree: ast.AST) -> Iterator[Rule]:
    """Yield every function called `check_...`, and every `raise` with what decides about it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("check_"):
                yield node.name, span(node, node)
            yield from raises(node, node.body)
        elif isinstance(node, ast.If):
            yield from raises(node, node.body)
            yield from raises(node, node.orelse)
        elif isinstance(node, ast.Try):
            for handler in node.handlers:
                yield from raises(node, handler.body)


def raises(decides: ast.stmt, body: list[ast.stmt]) -> Iterator[Rule]:
    """Yield the `raise` at the end of a block. One without an exception only passes it on."""
    for statement in body:
        if isinstance(statement, ast.Raise) and statement.exc is not None:
            yield ast.unparse(statement), span(decides, statement)


def span(first: ast.stmt, last: ast.stmt) -> range:
    """Return the lines from the start of one statement to the end of another."""
    assert last.end_lineno is not None
    return range(first.lineno, last.end_lineno + 1)
