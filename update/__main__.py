"""Brings a service to the version of this checkout, or changes its choices.

Run it through the service's Makefile: `make update`, `make choose validation_mode=jwt`.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from update.merge import check_repository, lock_again, merge, record_for_cruft
from update.ownership import broken_imports, leave_out_yours
from update.template import (
    Answers,
    Refused,
    Template,
    as_typed,
    git,
    notes,
    recorded_answers,
    releases,
    version_number,
)

UNDO = "To undo it: `git reset --hard`"


def main(arguments: list[str]) -> int:
    """Run the command. Return 1 if it was refused, or if files conflict."""
    options = parser().parse_args(arguments)
    try:
        return update(options.service.resolve(), options.base, options.choose)
    except Refused as reason:
        print(reason, file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """Return what can be typed."""
    parser = argparse.ArgumentParser(prog="python -m update", description=__doc__)
    parser.add_argument("service", type=Path, help="the folder of the service")
    parser.add_argument("--from", dest="base", default="", help="the commit it was rendered from")
    parser.add_argument("--choose", nargs="*", metavar="NAME=VALUE", help="keep the version")
    return parser


def update(service: Path, base: str, choose: list[str] | None) -> int:
    """Merge what changes for a service. `choose` has choices to change, at the same version."""
    check_repository(service)
    recorded, version = recorded_answers(service)
    with tempfile.TemporaryDirectory() as name:
        temporary = Path(name)
        old = Template.at(base or release_of(version), temporary / "old")
        answers = old.own_answers(recorded)
        if choose is None:
            new, changed = Template.at("HEAD", temporary / "new"), answers
        else:
            new, changed = old, {**answers, **old.checked(typed(choose, old))}
        if version_number(new.version) < version_number(version):
            raise Refused(f"The service has {version} already, and {new.version} is older.")
        if (old.commit, answers) == (new.commit, changed):
            print(f"Nothing to do: the service has {version} and these choices.")
            return 0
        before = old.render(answers, temporary / "before")
        after = new.render(new.checked(changed), temporary / "after")
        leave_out_yours(service, before, after, choice_changes=answers != changed)
        warnings = broken_imports(service, before, after)
        title = title_of(answers, changed, version, new.version)
        conflicts = merge(service, before, after, title)
        record_for_cruft(service, new, changed)
        if not conflicts:
            warnings.append(lock_again(service))
        print(report(service, title, conflicts, warnings))
        print(notes(new.folder, version, new.version), end="")
    return 1 if conflicts else 0


def report(service: Path, title: str, conflicts: list[str], warnings: list[str]) -> str:
    """Return what happened and what to do next, as Markdown."""
    count = len(git(service, "diff", "--cached", "--name-only").splitlines())
    lines = [f"{title}: {count} files changed, nothing is committed."]
    if conflicts:
        lines += ["", "These files conflict. Resolve them, then `git add` them:"]
        lines += [f"- {file}" for file in conflicts]
    if any(warnings):
        lines += ["", "Look at these first:", *(f"- {warning}" for warning in warnings if warning)]
    return "\n".join([*lines, "", "Run `make check test`, then `git commit`.", UNDO, ""])


def release_of(version: str) -> str:
    """Return the tag of a version. Raises `Refused` if there is none."""
    if version not in releases():
        raise Refused(
            f"The template has no tag v{version}. Name the commit of the template that the service "
            "was rendered from: make update FROM=<commit>"
        )
    return f"v{version}"


def typed(choose: list[str], template: Template) -> Answers:
    """Return choices as they were typed. Raises `Refused` if there are none."""
    if not choose or not all("=" in pair for pair in choose):
        raise Refused(f"Say what to choose: {template.described()}.")
    answers: Answers = {}
    for pair in choose:
        name, _, value = pair.partition("=")
        answers[name] = value
    return answers


def title_of(answers: Answers, changed: Answers, version: str, new: str) -> str:
    """Return the message of the commit that the owner makes."""
    if answers == changed:
        return f"Update from olympus-fastapi {version} to {new}"
    chosen = [
        f"{name}={as_typed(changed[name])}" for name in answers if answers[name] != changed[name]
    ]
    return f"Choose {', '.join(chosen)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
