"""Each definition in `app/` and `avnology_id/` has a user outside the tests."""

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest

from tests.combinations import COMBINATIONS, Answers, name
from tests.project import Bake

USED_ELSEWHERE = {
    "model": "FastAPI reads it of a security scheme",
    "scheme_name": "FastAPI reads it of a security scheme",
    "dependency_overrides_provider": "FastAPI reads it of a route",
    "handle": "Starlette calls it of a route",
    "format": "logging calls it of a formatter",
    "filter": "logging calls it of a filter",
    "settings": "routes of the team read it of `request.state`",
}
"""Members that have a user outside of the template's own code."""
READ_ELSEWHERE = {"BaseModel", "BaseSettings", "TypedDict", "Principal"}
"""Classes whose fields others read: pydantic, or routes of the team."""
NO_USERS = {
    "abstractmethod",
    "asynccontextmanager",
    "cache",
    "classmethod",
    "contextmanager",
    "dataclass",
    "lru_cache",
    "property",
    "staticmethod",
}
"""Decorators that do not use what they decorate. Others do: routes, validators, listeners."""


class Definition(NamedTuple):
    """A name that a module defines, and the kinds of use that count."""

    name: str
    file: str
    lines: range
    users: frozenset[str]


class Use(NamedTuple):
    """A place that uses a name: as `attribute`, `name` or `text`, or by `import`."""

    kind: str
    file: str
    line: int


def definitions(file: str, tree: ast.Module, bases: Mapping[str, set[str]]) -> Iterator[Definition]:
    """Yield what a module defines: functions, classes, constants, methods and fields."""
    for node in ast.walk(tree):
        members = isinstance(node, ast.ClassDef)
        if isinstance(node, ast.Module | ast.ClassDef):
            for child in node.body:
                is_field = members and isinstance(child, ast.Assign | ast.AnnAssign)
                if not (is_field and isinstance(node, ast.ClassDef) and is_read(node.name, bases)):
                    lines = range(child.lineno, (child.end_lineno or 0) + 1)
                    users = {"attribute"} if members else {"attribute", "name", "import"}
                    users |= set() if is_field else {"text"}
                    for found in defined_names(child):
                        yield Definition(found, file, lines, frozenset(users))
        match node:
            case ast.Attribute(ast.Name("self"), attribute, ast.Store()):
                yield Definition(attribute, file, range(0), frozenset({"attribute"}))


def defined_names(node: ast.stmt) -> list[str]:
    """Return the names that a statement defines, without those that a decorator uses."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            decorators = {last_name(decorator) for decorator in node.decorator_list}
            return [node.name] if decorators <= NO_USERS else []
        case ast.Assign():
            return [target.id for target in node.targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(ast.Name(found)):
            return [found]
    return []


def last_name(decorator: ast.expr) -> str:
    """Return the last part of the name of a decorator: `get` of `@router.get("/")`."""
    while isinstance(decorator, ast.Call):
        decorator = decorator.func
    return decorator.attr if isinstance(decorator, ast.Attribute) else ast.unparse(decorator)


def is_read(name: str, bases: Mapping[str, set[str]]) -> bool:
    """Return whether others read the fields of a class, because of its name or of a base."""
    return name in READ_ELSEWHERE or any(is_read(base, bases) for base in bases.get(name, ()))


def uses(file: str, tree: ast.Module) -> Iterator[tuple[str, Use]]:
    """Yield the names that a module uses."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(_, used, ast.Load()):
                yield used, Use("attribute", file, node.lineno)
            case ast.Name(used, ast.Load()):
                yield used, Use("name", file, node.lineno)
            case ast.Constant(str(used)):
                yield used, Use("text", file, node.lineno)
            case ast.ImportFrom(names=imported):
                yield from ((each.name, Use("import", file, node.lineno)) for each in imported)


def unused(texts: Mapping[str, str]) -> list[str]:
    """Return the definitions without a user. Files that are marked YOURS may have some."""
    trees = {file: ast.parse(text) for file, text in texts.items() if file[:6] != "tests/"}
    classes = [
        node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    ]
    bases = {node.name: {ast.unparse(base) for base in node.bases} for node in classes}
    found: dict[str, list[Use]] = {}
    for file, tree in trees.items():
        for used, use in uses(file, tree):
            found.setdefault(used, []).append(use)
    return sorted(
        f"{file}: {definition.name}"
        for file, tree in trees.items()
        if not file.startswith("dev/") and not texts[file].startswith('"""YOURS')
        for definition in definitions(file, tree, bases)
        if definition.name not in USED_ELSEWHERE
        and not definition.name.startswith("__")
        and not any(is_user(use, definition) for use in found.get(definition.name, ()))
    )


def is_user(use: Use, definition: Definition) -> bool:
    """Return whether a use counts: not inside of the definition, and names only in its module."""
    if use.file == definition.file:
        return use.kind in definition.users and use.line not in definition.lines
    return use.kind in definition.users - {"name"}


@pytest.mark.parametrize("combination", COMBINATIONS, ids=name)
def test_each_definition_has_a_user(combination: Answers, bake: Bake) -> None:
    """Its owner would have to read it for nothing."""
    assert unused(bake(**combination).texts(".py")) == []


def test_what_has_no_user_is_found() -> None:
    """A function that only calls itself, a field that is only written, a constant of a test."""
    app = (
        "LIMIT = 1\n\ndef again():\n    again()\n\n@router.get('/')\nasync def route(): ...\n\n"
        "class Kept:\n    read: int\n    size: int\n    def __init__(self):\n"
        "        self.count = self.read\n"
    )
    tests = "from app.main import LIMIT, again\nagain().count().size\n"

    assert unused({"app/main.py": app, "tests/test_main.py": tests, "dev/x.py": "Kept()\n"}) == [
        "app/main.py: Kept",
        "app/main.py: LIMIT",
        "app/main.py: again",
        "app/main.py: count",
        "app/main.py: size",
    ]
