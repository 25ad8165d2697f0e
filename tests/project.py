"""A rendered project, and how to render one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cookiecutter.main import cookiecutter

from tests.combinations import ROOT, Answer


@dataclass(frozen=True)
class Project:
    """A rendered project. Tests share it, so they must not change it."""

    path: Path

    def contents(self) -> dict[str, bytes]:
        """Return every file by its path from the project's folder, with `/` between the parts."""
        return {
            path.relative_to(self.path).as_posix(): path.read_bytes()
            for path in sorted(self.path.rglob("*"))
            if path.is_file()
        }

    def texts(self, *suffixes: str) -> dict[str, str]:
        """Return the text of every file, or of those with one of the suffixes."""
        return {
            name: content.decode()
            for name, content in self.contents().items()
            if not suffixes or name.endswith(suffixes)
        }

    def read(self, name: str) -> str:
        """Return the text of one file."""
        return (self.path / name).read_text(encoding="utf-8")


class Bake(Protocol):
    """Renders the template, once a session for each set of answers."""

    def __call__(self, *, accept_hooks: bool = True, **answers: Answer) -> Project:
        """Return the project."""


def render(
    into: Path, template: Path = ROOT, /, *, accept_hooks: bool = True, **answers: Answer
) -> Project:
    """Render the template into a folder. The user's own defaults have no effect."""
    path = cookiecutter(
        str(template),
        no_input=True,
        extra_context=answers,
        output_dir=str(into),
        default_config=True,
        accept_hooks=accept_hooks,
    )
    return Project(Path(path))
