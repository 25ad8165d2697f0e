"""Updates that are refused: a sentence that says what to do, and nothing changes."""

import json
import shutil
from pathlib import Path

import pytest

from tests.combinations import Answers
from tests.slow.test_updates import DEFAULT, make_service, state
from tests.updates.repository import NEXT, TREE, Releases, commit, git
from tests.updates.team import HANDLERS, write

WITH_WEBHOOKS: Answers = {**DEFAULT, "validation_mode": "jwt", "include_webhooks": True}
ANSWERS = ".cookiecutter.json"


@pytest.fixture(scope="module")
def original(releases: Releases) -> Path:
    """A service with webhooks, as its team has it."""
    return make_service(releases, TREE, WITH_WEBHOOKS)


@pytest.fixture
def service(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(original, tmp_path / "service"))


def refused(releases: Releases, version: str, service: Path, *arguments: str) -> str:
    """Return the reason of a refusal, after which nothing is different."""
    before = state(service)
    result = releases.run(version, service, *arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    assert state(service) == before
    return result.stderr.strip()


def rewrite(service: Path, **answers: object) -> None:
    """Change what a service records. None removes an answer."""
    file = service / ANSWERS
    recorded = {**json.loads(file.read_text(encoding="utf-8")), **answers}
    kept = {name: answer for name, answer in recorded.items() if answer is not None}
    file.write_text(json.dumps(kept), encoding="utf-8")
    commit(service)


def test_changes_that_are_not_committed(releases: Releases, service: Path) -> None:
    """A new file counts too: the update could bring one of that name."""
    (service / "notes.txt").touch()

    assert refused(releases, NEXT, service) == (
        "There are changes that are not committed. Commit or stash them first."
    )


def test_an_update_that_is_not_committed(releases: Releases, service: Path) -> None:
    """The second one would start from what the first one records."""
    assert releases.run(TREE, service, "--choose", "include_caching=false").returncode == 0

    assert "not committed" in refused(releases, NEXT, service)


def test_a_service_of_another_template(releases: Releases, service: Path) -> None:
    """Other answers, no version, or no record at all."""
    rewrite(service, flavour="vanilla")
    assert "is of another template: flavour" in refused(releases, NEXT, service)
    rewrite(service, _template_version=None)
    assert "records no version" in refused(releases, NEXT, service)
    git(service, "rm", "--quiet", ANSWERS)
    commit(service)
    assert f"no {ANSWERS}" in refused(releases, NEXT, service)


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\n{}\n", "[]", "{}"])
def test_a_record_that_is_broken(releases: Releases, service: Path, text: str) -> None:
    """As a merge leaves it whose conflicts were committed."""
    (service / ANSWERS).write_text(text, encoding="utf-8")
    commit(service)

    assert str(service / ANSWERS) in refused(releases, NEXT, service)


def test_a_downgrade(releases: Releases, service: Path) -> None:
    """An older release does not know what a newer one did."""
    assert releases.run(NEXT, service).returncode == 0
    commit(service)

    assert refused(releases, TREE, service) == (
        f"The service has {NEXT} already, and {TREE} is older."
    )


def test_a_version_without_a_tag(releases: Releases, service: Path) -> None:
    """Services that were made before there were tags name the commit."""
    rewrite(service, _template_version="0.0.9")

    assert "no tag v0.0.9" in refused(releases, NEXT, service)
    assert "make update FROM=<commit>" in refused(releases, NEXT, service)
    assert "has no commit 'nonsense'" in refused(releases, NEXT, service, "--from", "nonsense")
    # The record of the version is a conflict, as it is not that of the commit.
    assert releases.run(NEXT, service, "--from", f"v{TREE}").returncode == 1
    conflicts = git(service, "diff", "--name-only", "--diff-filter=U").splitlines()
    assert conflicts == [ANSWERS]


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ([], "Say what to choose: project_name=<text>"),
        (["jwt"], "Say what to choose: project_name=<text>"),
        (["validaton_mode=jwt"], "There is no choice 'validaton_mode'. There are"),
        (["validation_mode=jwts"], "validation_mode is one of introspection, jwt, sdk, not 'jwts'"),
        (["include_caching=maybe"], "include_caching is one of true, false, not 'maybe'."),
        (["author="], "must not be blank"),
    ],
)
def test_a_choice_that_there_is_not(
    releases: Releases, service: Path, typed: list[str], reason: str
) -> None:
    """The reason lists what can be chosen."""
    assert reason in refused(releases, TREE, service, "--choose", *typed)


def test_a_choice_whose_handlers_the_team_changed(releases: Releases, service: Path) -> None:
    """The team decides what becomes of its code."""
    write(service / "app/routes/users.py", "from app.webhooks import handlers\n")
    commit(service)

    reason = refused(releases, TREE, service, "--choose", "include_webhooks=false")

    assert f"\n  {HANDLERS}\n    imports app." in reason
    assert "imports app.webhooks.events, which is removed" in reason
    assert "    is imported by app/routes/users.py" in reason
    git(service, "rm", "--quiet", HANDLERS)
    commit(service)
    result = releases.run(TREE, service, "--choose", "include_webhooks=false")
    assert result.returncode == 0
    assert "- `app/routes/users.py` imports what is removed: app.webhooks" in result.stdout


def test_a_file_that_git_ignores(releases: Releases, service: Path) -> None:
    """git would overwrite it."""
    write(service / ".gitignore", "avnology_id/\n", "a")
    commit(service)
    (service / "avnology_id").mkdir()
    (service / "avnology_id" / "client.py").touch()

    reason = refused(releases, TREE, service, "--choose", "validation_mode=sdk")
    assert reason == "git ignores these files, and they would be lost: avnology_id/client.py."


def test_a_folder_without_a_commit(releases: Releases, service: Path) -> None:
    """There is nothing to merge with."""
    shutil.rmtree(service / ".git")
    assert "not in a git repository with a commit" in releases.run(NEXT, service).stderr
    git(service, "init", "--quiet")
    assert "not in a git repository with a commit" in releases.run(NEXT, service).stderr
    assert "There is no folder" in releases.run(NEXT, service / "app/none").stderr
