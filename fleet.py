"""Reports about services: `python -m fleet report DIR... [--json]`.

For each checkout: its version and choices, how many releases it is behind, and which files differ
from what the template rendered, apart from the team's own.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from update.template import (
    ROOT,
    Answers,
    Refused,
    Template,
    as_typed,
    files,
    is_same,
    recorded_answers,
    releases,
    version_number,
    yours,
)

CONFLICT = b"<<<<<<< "


@dataclass
class Row:
    """What is known about one service. `problem` says what could not be found out, and why."""

    service: str
    version: str = ""
    choices: Answers = field(default_factory=dict)
    behind: int | None = None
    differs: list[str] = field(default_factory=list)
    problem: str = ""


def main(arguments: list[str], repository: Path = ROOT) -> int:
    """Run the command. Return 1 if there is a problem with a service."""
    parser = argparse.ArgumentParser(prog="python -m fleet", description=__doc__)
    parser.add_argument("command", choices=["report"])
    parser.add_argument("directories", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = report(options.directories, repository)
    print(json.dumps([asdict(row) for row in rows], indent=2) if options.json else table(rows))
    return 1 if any(row.problem for row in rows) else 0


def report(services: Iterable[Path], repository: Path = ROOT) -> list[Row]:
    """Return a row for each service, in the same order."""
    with tempfile.TemporaryDirectory() as temporary:
        renders = Renders(repository, Path(temporary))
        return [row_of(service, renders) for service in services]


class Renders:
    """What the releases render. Each release is unpacked once."""

    def __init__(self, repository: Path, temporary: Path) -> None:
        """Render into a temporary folder."""
        self._repository = repository
        self._temporary = temporary
        self._releases = releases(repository)
        self._count = 0

    def behind(self, version: str) -> int:
        """Return how many releases are newer than a version."""
        present = version_number(version)
        return sum(version_number(release) > present for release in self._releases)

    def of(self, version: str, answers: Answers) -> Path:
        """Return the service as a version rendered it. Raises `Refused` if it cannot."""
        if version not in self._releases:
            raise Refused(f"The template has no tag v{version}, so files were not compared.")
        folder = self._temporary / version
        if folder.exists():
            template = Template(version, folder)
        else:
            template = Template.at(f"v{version}", folder, self._repository)
        self._count += 1
        checked = template.own_answers(answers)
        return template.render(checked, self._temporary / f"render-{self._count}")


def row_of(service: Path, renders: Renders) -> Row:
    """Return what is known about a service. Never raises `Refused`."""
    row = Row(str(service))
    try:
        row.choices, row.version = recorded_answers(service)
        row.behind = renders.behind(row.version)
        render = renders.of(row.version, row.choices)
        row.differs = differences(service, render)
    except Refused as reason:
        row.problem = str(reason)
        return row
    if conflicts := [file for file in row.differs if has_conflict(service / file)]:
        row.problem = f"There are merge markers in {', '.join(conflicts)}."
    return row


def differences(service: Path, render: Path) -> list[str]:
    """Return the files of a render, but for the team's, that are different or missing."""
    return [
        file
        for file in sorted(files(render) - yours(render))
        if not ((service / file).is_file() and is_same(service / file, render / file))
    ]


def has_conflict(file: Path) -> bool:
    """Say whether a file was left as a merge with conflicts leaves it."""
    lines = file.read_bytes().splitlines() if file.is_file() else []
    return any(line.startswith(CONFLICT) for line in lines)


def table(rows: list[Row]) -> str:
    """Return the rows for people."""
    lines = []
    for row in rows:
        behind = (
            "" if row.behind is None else f", {row.behind} behind" if row.behind else ", newest"
        )
        lines.append(f"{row.service}  {row.version or 'unknown version'}{behind}")
        choices = [f"{name}={as_typed(value)}" for name, value in row.choices.items()]
        shown = [choice for choice in choices if choice.startswith(("validation_", "include_"))]
        lines += [f"  {' '.join(shown)}"] if shown else []
        lines += [f"  differs: {file}" for file in row.differs]
        lines += [f"  problem: {row.problem}"] if row.problem else []
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
