"""Mutants of a module: copies of its source, each with one rule removed.

A `raise` is left out, a call of a `check_...` function is left out, or a comparison is inverted, in
Python or in SQL.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

TURNED: dict[type[ast.cmpop], str] = {
    ast.Lt: ">=",
    ast.LtE: ">",
    ast.Gt: "<=",
    ast.GtE: "<",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}


SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE)\b")
TURNED_SQL = [
    (r"(?<=\W)<=(?=\W)", ">"),
    (r"(?<=\W)<(?=[^=\w])", ">="),
    (r"(?<=\W)>(?=\W)", "<="),
    (r"(?<!SET)(?<=state) = ", " <> "),
    (r"(?<=leased_by) = (?=:)", " <> "),
    (r"(?<=\.id) = ", " <> "),
    (r"NOT EXISTS", "EXISTS"),
    (r"NOT \(", "("),
    (r"NOT IN", "IN"),
    (r"BETWEEN", "NOT BETWEEN"),
    (r"\bOR\b", "AND"),
]
"""Patterns in SQL statements, and their replacements."""


@dataclass(frozen=True)
class Mutant:
    """A source with one change. Every line keeps its number."""

    lines: tuple[int, ...]
    """The lines that have to be run for a test to notice the change."""
    place: str
    """The qualified name of the changed function or constant."""
    change: str
    """The change, as reports and the list of exceptions name it."""
    source: str

    @property
    def name(self) -> str:
        """The place and the change, without line numbers, which move."""
        return f"{self.place}: {self.change}"


def mutants(source: str) -> list[Mutant]:
    """Return the mutants of a module: of functions, and of constants with SQL."""
    text, tree = Text(source), ast.parse(source)
    return [
        Mutant(lines, function, change, text.replaced(node, new))
        for function, lines, node, change, new in changes(tree, "", ())
    ] + [mutant for node in tree.body for mutant in sql_mutants(node, tree, text)]


def sql_mutants(node: ast.stmt, tree: ast.Module, text: "Text") -> Iterator[Mutant]:
    """Yield the mutants of a constant that holds an SQL statement."""
    match node:
        case ast.Assign([ast.Name(name)], ast.Constant(str(sql))) if SQL.search(sql):
            used = (use for use in ast.walk(tree) if isinstance(use, ast.Name) and use.id == name)
            users = tuple(use.lineno for use in used if isinstance(use.ctx, ast.Load))
            for pattern, other in TURNED_SQL:
                for found in re.finditer(pattern, sql):
                    line = sql[: found.start()].count("\n") + 1
                    change = f"`{found[0].strip()}` in line {line} turned round"
                    new = sql[: found.start()] + other + sql[found.end() :]
                    yield Mutant(users, name, change, text.replaced(node.value, repr_of(new)))


def repr_of(sql: str) -> str:
    """Return a literal of a statement, on as many lines as it has."""
    return f'"""{sql}"""'


Change = tuple[str, tuple[int, ...], ast.stmt | ast.expr, str, str]


def changes(tree: ast.AST, function: str, lines: tuple[int, ...]) -> Iterator[Change]:
    """Yield the possible changes: function, lines, node, name of the change, new text."""
    for node in ast.iter_child_nodes(tree):
        inside, around = function, lines
        if isinstance(node, ast.stmt):
            around = (node.lineno,)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = f"{function}.{node.name}" if function else node.name
        elif function and isinstance(node, ast.stmt | ast.expr):
            for changed, name, new in own_changes(node):
                yield function, (*around, node.lineno), changed, name, new
        yield from changes(node, inside, around)


def own_changes(node: ast.stmt | ast.expr) -> Iterator[tuple[ast.stmt | ast.expr, str, str]]:
    """Yield the changes of a node itself."""
    text = " ".join(ast.unparse(node).split())
    if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and is_check(node.value)):
        yield node, f"without `{text}`", "pass"
    elif isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            turned = ast.Compare(
                node.left,
                [other if at != place else parsed(operator) for at, other in enumerate(node.ops)],
                node.comparators,
            )
            yield node, f"`{text}` turned round", f"({ast.unparse(turned)})"


def parsed(operator: ast.cmpop) -> ast.cmpop:
    """Return the inverse operator."""
    comparison = ast.parse(f"a {TURNED[type(operator)]} b", mode="eval").body
    assert isinstance(comparison, ast.Compare)
    return comparison.ops[0]


def is_check(call: ast.expr) -> bool:
    """Tell whether an expression calls a function whose name begins with `check_`."""
    if isinstance(call, ast.Await):
        call = call.value
    if not isinstance(call, ast.Call):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name.startswith("check_")


class Text:
    """A source whose nodes can be replaced."""

    def __init__(self, source: str) -> None:
        """Take a source apart into its lines."""
        self._lines = source.splitlines(keepends=True)

    def replaced(self, node: ast.stmt | ast.expr, new: str) -> str:
        """Return the source with other text for `node`, on as many lines."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        first, last = node.lineno - 1, node.end_lineno - 1
        before = self._lines[first].encode()[: node.col_offset].decode()
        after = self._lines[last].encode()[node.end_col_offset :].decode()
        blank = ["\n"] * (last - first - new.count("\n"))
        if new.startswith("(") and blank:
            # Inside of brackets an expression may go over several lines.
            changed = [before + new[:-1], *blank, ")" + after]
            return "".join([*self._lines[:first], *changed, *self._lines[last + 1 :]])
        changed = [before + new + after, *blank]
        return "".join([*self._lines[:first], *changed, *self._lines[last + 1 :]])
