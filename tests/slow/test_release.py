"""The command that makes a release, in a repository of its own."""

import json
from pathlib import Path

import pytest

import release
from tests.combinations import CONTEXT
from tests.project import Project
from tests.updates.repository import commit, copy_tree, git
from update.template import Refused, notes, releases

PRESENT = str(CONTEXT["_template_version"])
VERSION = "98.0.0"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The tree, committed."""
    path = tmp_path / "olympus-fastapi"
    path.mkdir()
    git(path, "init", "--quiet")
    git(path, "config", "user.name", "Tests")
    git(path, "config", "user.email", "tests@example.org")
    copy_tree(path)
    changes = path / "CHANGELOG.md"
    text = changes.read_text(encoding="utf-8")
    changes.write_text(text.replace("## Unreleased\n", "## Unreleased\n\nA change.\n", 1), "utf-8")
    commit(path)
    return path


def test_a_release_is_one_commit_with_a_tag(repository: Path) -> None:
    """Version, notes, examples and the record of choices belong together."""
    tested: list[str] = []

    release.release(repository, VERSION, lambda: tested.append("once"))

    assert tested == ["once"]
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "log", "-1", "--format=%s") == f"Release {VERSION}"
    assert git(repository, "rev-parse", f"v{VERSION}^{{commit}}") == git(
        repository, "rev-parse", "HEAD"
    )
    assert releases(repository) == [VERSION]
    context = json.loads((repository / "cookiecutter.json").read_text(encoding="utf-8"))
    assert context["_template_version"] == VERSION
    by_hand = (repository / "UPGRADING.md").read_text(encoding="utf-8")
    assert by_hand.index(f"## From {VERSION}") < by_hand.index("## From 0.1.0")
    between = notes(repository, PRESENT, VERSION)
    assert "A change." in between
    assert f"From {VERSION}" not in between
    assert (repository / release.RECORD).read_text(encoding="utf-8").startswith("{")
    for name, answers in release.EXAMPLES.items():
        example = Project(repository / "examples" / name)
        recorded = json.loads(example.read(".cookiecutter.json"))
        assert {**recorded, **answers, "_template_version": VERSION} == recorded
        tracked = git(repository, "ls-files", f"examples/{name}").splitlines()
        assert len(tracked) == len(example.contents())

    with pytest.raises(Refused, match="nothing under `## Unreleased`"):
        release.release(repository, "98.0.1", lambda: None)


@pytest.mark.parametrize("version", ["v98.0.0", "98.0", PRESENT, "0.0.1", "next"])
def test_a_wrong_version_is_refused(repository: Path, version: str) -> None:
    """It has to be a higher one, in three numbers."""
    with pytest.raises(Refused, match="version"):
        release.release(repository, version, lambda: None)


def test_a_release_needs_a_clean_tree_and_green_tests(repository: Path) -> None:
    """Otherwise nothing is written."""
    (repository / "Makefile").write_text("lint:\n\tfalse\n", encoding="utf-8")
    with pytest.raises(Refused, match="not committed"):
        release.release(repository, VERSION, lambda: None)
    commit(repository)
    with pytest.raises(Refused, match="`make lint` failed"):
        release.release(repository, VERSION, lambda: release.run_tests(repository, ["lint"]))
    git(repository, "tag", f"v{VERSION}")
    with pytest.raises(Refused, match="a tag"):
        release.release(repository, VERSION, lambda: None)

    assert git(repository, "status", "--porcelain") == ""
