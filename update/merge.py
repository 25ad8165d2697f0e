"""Merges the difference between two renders into a service, by plain git and without a commit."""

import json
import subprocess
from pathlib import Path

from update.template import Answers, Refused, Template, git

IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "olympus-fastapi"), ("EMAIL", "olympus-fastapi@localhost"))
}
"""The commits that the merge needs are on no branch, so their author is not shown anywhere."""

LOCK = "uv.lock"


def check_repository(service: Path) -> None:
    """Refuse a folder whose files could be lost. Raises `Refused`."""
    if not service.is_dir():
        raise Refused(f"There is no folder {service}.")
    try:
        git(service, "rev-parse", "--verify", "HEAD")
    except Refused:
        raise Refused(f"{service} is not in a git repository with a commit.") from None
    if git(service, "ls-files", "--unmerged", ":/"):
        raise Refused(
            "An update or a merge is not finished. Resolve its conflicts and commit, or undo it "
            "with `git reset --hard`."
        )
    # A lock is made again afterwards.
    if git(service, "status", "--porcelain", "--", ":/", f":(exclude){LOCK}"):
        raise Refused("There are changes that are not committed. Commit or stash them first.")


def merge(service: Path, before: Path, after: Path, message: str) -> list[str]:
    """Stage what changes from one render to another, and return the files with conflicts.

    This is a three-way merge with `before` as its base. So it does not depend on the history of
    the service, which may have squashed an earlier update. Raises `Refused` if git stops before it
    changes anything.
    """
    check_ignored_files(service, before, after)
    base = commit(service, before, message)
    wanted = commit(service, after, message, "-p", base)
    # A folder that the template renames must not take files of the team along.
    options = ["-c", "merge.directoryRenames=false"]
    result = subprocess.run(
        ["git", *options, "cherry-pick", "--no-commit", wanted],
        cwd=service,
        capture_output=True,
        encoding="utf-8",
    )
    conflicts = git(service, "diff", "--name-only", "--diff-filter=U").splitlines()
    if result.returncode and not conflicts:
        raise Refused(f"git stopped before it changed anything: {result.stderr.strip()}")
    return conflicts


def commit(service: Path, render: Path, message: str, *parent: str) -> str:
    """Write a render into the repository as a commit outside any branch. Return its id."""
    directory = git(service, "rev-parse", "--absolute-git-dir").strip()
    prefix = git(service, "rev-parse", "--show-prefix").strip()
    tree = render
    if prefix:
        # The service is in a folder of a larger repository.
        tree = render.parent / "tree"
        (tree / prefix).parent.mkdir(parents=True)
        render.rename(tree / prefix)
    index = {"GIT_INDEX_FILE": str(render.parent / "index"), **IDENTITY}
    here = [f"--git-dir={directory}", f"--work-tree={tree}"]
    git(tree, *here, "add", "--all", "--force", ".", **index)
    written = git(tree, *here, "write-tree", **index).strip()
    return git(tree, *here, "commit-tree", written, *parent, "-m", message, **index).strip()


def check_ignored_files(service: Path, before: Path, after: Path) -> None:
    """Refuse to overwrite files that the service has, but does not track. Raises `Refused`."""
    tracked = set(git(service, "ls-files", "-z").split("\0"))
    new = {
        path.relative_to(after).as_posix()
        for path in after.rglob("*")
        if path.is_file() and not (before / path.relative_to(after)).exists()
    }
    lost = sorted(file for file in new - tracked if (service / file).exists())
    if lost:
        raise Refused(f"git ignores these files, and they would be lost: {', '.join(lost)}.")


def record_for_cruft(service: Path, template: Template, answers: Answers) -> None:
    """Tell cruft, if the service uses it too, what was rendered last."""
    file = service / ".cruft.json"
    if not file.exists():
        return
    state = json.loads(file.read_text(encoding="utf-8"))
    state["commit"] = template.commit
    state["context"]["cookiecutter"].update(answers, _template_version=template.version)
    text = json.dumps(state, ensure_ascii=False, indent=2) + "\n"
    file.write_text(text, encoding="utf-8")
    git(service, "add", file.name)


def lock_again(service: Path) -> str:
    """Update the lock of a service that tracks one. Return what is left to do."""
    if not git(service, "ls-files", LOCK):
        return ""
    for command in ("uv", str(service / ".venv" / "bin" / "uv")):
        try:
            subprocess.run([command, "lock", "--quiet"], cwd=service, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        git(service, "add", LOCK)
        return ""
    return f"`{LOCK}` is not up to date: run `uv lock`."
