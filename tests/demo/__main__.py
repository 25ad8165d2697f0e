"""Calls an installed project and prints the responses: `python -m tests.demo FOLDER`."""

import json
import sys
from pathlib import Path

from tests.combinations import OPTIONS
from tests.demo.caller import Row
from tests.demo.calls import make_calls


def main(folder: str) -> int:
    """Print the table and return 0 if every call is as expected, else 1."""
    project = Path(folder).resolve()
    recorded = json.loads((project / ".cookiecutter.json").read_text(encoding="utf-8"))
    rows = make_calls(project, {question: recorded[question] for question in OPTIONS})
    print(table(rows))
    bad = [row for row in rows if not row.good]
    for row in bad:
        print(f"! {row.call}: expected is {row.expected}")
    print(f"\n{len(rows) - len(bad)} of {len(rows)} calls are as expected.")
    return 1 if bad else 0


def table(rows: list[Row]) -> str:
    """Return the calls and their responses, with a mark at unexpected ones."""
    titles = ("call", "status", "challenge or Retry-After", "detail")
    lines = [titles, *((row.call, str(row.seen.status), *row.seen[1:]) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    marks = [" ", *(" " if row.good else "!" for row in rows)]
    return "\n".join(
        f"{mark} {'  '.join(map(str.ljust, line, widths))}".rstrip()
        for mark, line in zip(marks, lines, strict=True)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
