"""A repository of the template with three releases: the last one, the tree, and a next one."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cruft
from cookiecutter.main import cookiecutter

from tests.combinations import CONTEXT, ROOT, TEMPLATE, Answer, Answers
from tests.conftest import GIT

PRESENT = str(CONTEXT["_template_version"])
"""The version of the tree. The last release has the same one until the next release."""
MAJOR, MINOR, _ = map(int, PRESENT.split("."))
LAST, TREE, NEXT = PRESENT, f"{MAJOR}.{MINOR + 1}.0", f"{MAJOR}.{MINOR + 2}.0"

TOUCHED = ("app/auth/policy.py", "app/settings.py", "app/services.py", "Makefile")
"""What the next release changes, besides dependencies and the README."""


def git(folder: Path, *arguments: str) -> str:
    """Return what a git command prints."""
    result = subprocess.run(
        [*GIT, *arguments], cwd=folder, check=True, capture_output=True, encoding="utf-8"
    )
    return result.stdout.strip()


def commit(folder: Path, message: str = "Change") -> None:
    """Commit everything in a folder."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)


def last_release() -> str:
    """Return the commit of the last release, or "" where there is too little history.

    It set the version of the tree. Before the first release, it is the first commit whose services
    have a place for dependencies of the team.
    """
    pyproject = f"{TEMPLATE.name}/pyproject.toml"
    layout = git(ROOT, "log", "--reverse", "--format=%H", "-S# Yours", "--", pyproject).split()
    version = git(
        ROOT, "log", "-1", "--format=%H", "-G_template_version", "--", "cookiecutter.json"
    )
    if not layout or git(ROOT, "rev-parse", "--is-shallow-repository") == "true":
        return ""
    later = git(ROOT, "rev-list", "--ancestry-path", f"{layout[0]}..{version}")
    return version if later else layout[0]


@dataclass(frozen=True)
class Releases:
    """The repository, a checkout of each release, and services that are rendered from them."""

    repository: Path

    def render(self, version: str, **answers: Answer) -> Path:
        """Return a new service of a release."""
        into = Path(tempfile.mkdtemp(dir=self.repository.parent))
        template = str(self.checkout(version))
        return Path(
            cookiecutter(
                template,
                no_input=True,
                extra_context=answers,
                output_dir=str(into),
                default_config=True,
            )
        )

    def create_with_cruft(self, version: str, answers: Answers) -> Path:
        """Return a new service of a release that cruft made, committed."""
        service = cruft.create(
            str(self.repository),
            output_dir=Path(tempfile.mkdtemp(dir=self.repository.parent)),
            default_config=True,
            extra_context=answers,
            checkout=f"v{version}",
        )
        git(service, "init", "--quiet")
        commit(service, "Begin")
        return Path(service)

    def checkout(self, version: str) -> Path:
        """Return a clone at a release, as the service's Makefile makes one."""
        clone = self.repository.parent / f"at-{version}"
        if not clone.exists():
            git(self.repository.parent, "clone", "--quiet", str(self.repository), str(clone))
            git(clone, "checkout", "--quiet", f"v{version}")
        return clone

    def run(self, version: str, service: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the updater of a release for a service."""
        return subprocess.run(
            [sys.executable, "-m", "update", service, *arguments],
            cwd=self.checkout(version),
            capture_output=True,
            encoding="utf-8",
        )


def make_releases(path: Path) -> Releases:
    """Commit and tag the releases in a new repository."""
    repository = path / "olympus-fastapi"
    repository.mkdir()
    git(repository, "init", "--quiet")
    if last := last_release():
        archive = subprocess.check_output(["git", "archive", last], cwd=ROOT)
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            files.extractall(repository)  # noqa: S202
        release(repository, LAST)
        git(repository, "rm", "--quiet", "-r", ".")
    copy_tree(repository)
    release(repository, TREE)
    change_template(repository / TEMPLATE.name)
    release(repository, NEXT)
    return Releases(repository)


def copy_tree(repository: Path) -> None:
    """Copy the tree of this test run, whether it is committed or not."""
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, repository / name)


def release(repository: Path, version: str) -> None:
    """Set the version, describe it, commit and tag."""
    context = repository / "cookiecutter.json"
    text = re.sub(
        r'("_template_version": )".*"', rf'\1"{version}"', context.read_text(encoding="utf-8")
    )
    assert json.loads(text)["_template_version"] == version
    context.write_text(text, encoding="utf-8")
    notes = f"# Notes\n\n## {version}\n\nChange of {version}.\n"
    (repository / "CHANGELOG.md").write_text(notes, encoding="utf-8")
    by_hand = f"# Upgrading\n\n## From {TREE}\n\nBy hand after {TREE}.\n"
    (repository / "UPGRADING.md").write_text(by_hand, encoding="utf-8")
    commit(repository, f"Release {version}")
    git(repository, "tag", f"v{version}")


def change_template(service: Path) -> None:
    """Change what a release may change: code, dependencies, settings, the README."""
    for file in TOUCHED:
        with (service / file).open("a", encoding="utf-8") as opened:
            opened.write("\n\n# Changed by the template.\n")
    edit(service / "pyproject.toml", r'"fastapi>=', '"fastapi>=0.0.1,>=')
    edit(service / "README.md", r"^## Updates\n", "## Updates\n\nChanged by the template.\n")


def edit(file: Path, pattern: str, replacement: str) -> None:
    """Replace the one place that matches a pattern."""
    text, count = re.subn(pattern, replacement, file.read_text(encoding="utf-8"), flags=re.M)
    assert count == 1, f"{file}: {pattern}"
    file.write_text(text, encoding="utf-8")
