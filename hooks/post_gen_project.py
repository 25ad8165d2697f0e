"""Removes empty folders and prints the next two commands. Selects nothing."""

import json
from collections.abc import Mapping
from pathlib import Path

ANSWERS = r"""{{ cookiecutter | tojson }}"""


MAY_BE_EMPTY = {".vex"}
"""The hidden folders of a project that an answer can leave empty."""


def remove_empty_folders(root: Path) -> None:
    """Remove every folder below `root` that holds no file, the deepest first.

    Other hidden folders stay: in an existing project, one of them is `.git`.
    """
    for path in list(root.iterdir()):
        is_own = path.name in MAY_BE_EMPTY or not path.name.startswith(".")
        if is_own and path.is_dir() and not path.is_symlink():
            remove_empty_folders(path)
            if not any(path.iterdir()):
                path.rmdir()


def next_steps(slug: object, mode: object) -> str:
    """Return the chosen mode and the next two commands."""
    return f"\n{slug} checks access tokens by {mode}. Next:\n\n  cd {slug}\n  make run\n"


def main(answers: Mapping[str, object], root: Path) -> None:
    """Remove empty folders of the new project. Print only for a user who has just created it."""
    remove_empty_folders(root)
    # An update renders in temporary folders, where the commands would make no sense. Only the
    # cookiecutter command itself adds the output folder to the answers.
    if "_output_dir" in answers:
        print(next_steps(answers["project_slug"], answers["validation_mode"]))


if __name__ == "__main__":
    main(json.loads(ANSWERS), Path.cwd())
