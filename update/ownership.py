"""Keeps the team's files out of an update: those that a render marks with YOURS."""

import ast
from collections.abc import Iterator
from pathlib import Path

from update.template import Refused, files, git, is_same, yours


def leave_out_yours(service: Path, before: Path, after: Path, *, choice_changes: bool) -> None:
    """Take the team's files out of both renders, so that a merge leaves them alone.

    A file of a choice that is switched on arrives. A file of a choice that is switched off is
    removed if it is as rendered. Raises `Refused` for such a file that the team changed.
    """
    old, new = yours(before), yours(after)
    changed = []
    for file in sorted(old | new):
        if not (after / file).exists():
            is_kept = (service / file).exists() and choice_changes
            if is_kept and is_same(service / file, before / file):
                continue
            if is_kept:
                changed.append(file)
            (before / file).unlink()
        elif (before / file).exists():
            (before / file).unlink()
            (after / file).unlink()
        elif (service / file).exists():
            (after / file).unlink()
    if changed:
        raise Refused(described(service, changed, before, after))


def described(service: Path, changed: list[str], before: Path, after: Path) -> str:
    """Return which files stand in the way of a change, and what is tied to them."""
    gone = {module_of(file) for file in files(before) - files(after)}
    lines = ["These files are yours, changed, and belong to a choice that is switched off:"]
    for file in changed:
        used = sorted(imports(service / file) & gone)
        users = importers(service, {module_of(file)}, before, after)
        lines.append(f"  {file}")
        lines += [f"    imports {module}, which is removed" for module in used]
        lines += [f"    is imported by {user}" for user in users if user != file]
    return "\n".join([*lines, "Move what you need elsewhere, delete them, commit, start again."])


def broken_imports(service: Path, before: Path, after: Path) -> list[str]:
    """Return a sentence for each file of the team that imports what a merge removes."""
    gone = {module_of(file) for file in files(before) - files(after)}
    return [
        f"`{file}` imports what is removed: {', '.join(modules)}."
        for file, modules in importers(service, gone, before, after).items()
    ]


def importers(service: Path, modules: set[str], before: Path, after: Path) -> dict[str, list[str]]:
    """Return the team's Python files that import any of these modules, with which."""
    rendered = files(before) | files(after)
    own = [file for file in git(service, "ls-files", "*.py").splitlines() if file not in rendered]
    found = {file: sorted(imports(service / file) & modules) for file in own}
    return {file: used for file, used in found.items() if used}


def module_of(file: str) -> str:
    """Return the module that a Python file is imported as."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(file: Path) -> set[str]:
    """Return the modules that a file imports. A file that does not parse imports nothing."""
    try:
        return set(imported(ast.parse(file.read_bytes())))
    except (OSError, SyntaxError):
        return set()


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield each module, and each name of a module: that can be a module too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)
