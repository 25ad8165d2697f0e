"""Updates and changes of choices by plain git: `make update`, `make choose`."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.combinations import OPTIONS, Answers, name
from tests.project import Project
from tests.updates.repository import LAST, NEXT, TREE, Releases, commit, git, last_release
from tests.updates.team import HANDLERS, changes, edit_the_rest, grow, write
from update.template import yours

DEFAULT: Answers = {question: values[0] for question, values in OPTIONS.items()}
HOSTILE = 'O\'Brien & "Söhne" \\\\'
SERVICES: list[Answers] = [
    {"validation_mode": "introspection", "include_caching": True, "include_webhooks": False},
    {"validation_mode": "jwt", "include_caching": False, "include_webhooks": True},
    {"validation_mode": "sdk", "include_caching": True, "include_webhooks": True},
]
"""Each mode, and each choice of the options."""

MODES = list(itertools.permutations(OPTIONS["validation_mode"], 2))
needs_history = pytest.mark.skipif(not last_release(), reason="the history is not in this checkout")
each_service = pytest.mark.parametrize("answers", SERVICES, ids=name)


def make_service(releases: Releases, version: str, answers: Answers) -> Path:
    """Return a service as its team has it: rendered, committed, and changed a lot."""
    service = releases.render(version, **answers)
    git(service, "init", "--quiet")
    commit(service, "Begin")
    grow(service)
    edit_the_rest(service)
    commit(service, "Add orders")
    return service


def without(files: set[str], changed: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return what changed in other files."""
    return {file: lines for file, lines in changed.items() if file not in files}


def state(service: Path) -> tuple[str, str]:
    """Return what an update must not touch if it is refused."""
    return git(service, "rev-parse", "HEAD"), git(service, "status", "--porcelain", "--ignored")


@each_service
def test_an_update_keeps_what_the_team_did(releases: Releases, answers: Answers) -> None:
    """Code, dependencies, settings and README of the template change, without a conflict."""
    answers = {**answers, "author": HOSTILE}
    service = make_service(releases, TREE, answers)
    done_by_team = changes(Project(releases.render(TREE, **answers)), service)

    result = releases.run(NEXT, service)

    assert (result.returncode, result.stderr) == (0, "")
    assert changes(Project(releases.render(NEXT, **answers)), service) == done_by_team
    assert {"README.md", "app/extensions.py", "pyproject.toml"} <= set(done_by_team)
    assert f"Change of {NEXT}." in result.stdout
    assert f"Change of {TREE}." not in result.stdout
    assert f"By hand after {TREE}." in result.stdout


@needs_history
@each_service
def test_an_update_from_the_last_release(releases: Releases, answers: Answers) -> None:
    """What was changed since then reaches services without a conflict."""
    service = make_service(releases, LAST, answers)
    fresh = releases.render(TREE, **answers)
    own = yours(fresh)
    done_by_team = changes(Project(releases.render(LAST, **answers)), service)
    kept = {file: (service / file).read_bytes() for file in own if (service / file).exists()}

    result = releases.run(TREE, service)

    assert (result.returncode, result.stderr) == (0, "")
    assert kept == {file: (service / file).read_bytes() for file in kept}
    left = changes(Project(fresh), service)
    assert without(own, left) == without(own, done_by_team)


@pytest.mark.parametrize(("before", "after"), MODES)
def test_a_change_of_mode(releases: Releases, before: str, after: str) -> None:
    """The same service with another way to check tokens."""
    old = {**DEFAULT, "validation_mode": before}
    new = {**DEFAULT, "validation_mode": after}
    service = make_service(releases, TREE, old)
    done_by_team = changes(Project(releases.render(TREE, **old)), service)

    result = releases.run(TREE, service, "--choose", f"validation_mode={after}")

    assert (result.returncode, result.stderr) == (0, "")
    assert changes(Project(releases.render(TREE, **new)), service) == done_by_team


@pytest.mark.parametrize("option", [key for key in OPTIONS if key.startswith("include_")])
@pytest.mark.parametrize("value", [True, False], ids=["on", "off"])
def test_an_option_is_switched(releases: Releases, option: str, value: bool) -> None:
    """The handlers arrive with webhooks, and go if the team did not change them."""
    mode = "jwt" if option == "include_webhooks" else "sdk"
    old = {**DEFAULT, "validation_mode": mode, option: not value}
    service = make_service(releases, TREE, old)
    if (service / HANDLERS).exists():
        git(service, "checkout", "--quiet", "HEAD~1", "--", HANDLERS)
        commit(service, "Take the change of handlers back")
    done_by_team = changes(Project(releases.render(TREE, **old)), service)

    result = releases.run(TREE, service, "--choose", f"{option}={str(value).lower()}")

    assert (result.returncode, result.stderr) == (0, "")
    new = Project(releases.render(TREE, **{**old, option: value}))
    assert changes(new, service) == done_by_team


def test_a_second_update_after_a_squash_merge(releases: Releases) -> None:
    """An update does not depend on the history of the service."""
    service = make_service(releases, TREE, DEFAULT)
    done_by_team = changes(Project(releases.render(TREE, **DEFAULT)), service)
    releases.run(TREE, service, "--choose", "validation_mode=jwt")
    commit(service, "Choose jwt")
    git(service, "reset", "--quiet", "--soft", git(service, "rev-list", "--max-parents=0", "HEAD"))
    commit(service, "All of it in one commit")

    result = releases.run(NEXT, service)

    assert (result.returncode, result.stderr) == (0, "")
    new = Project(releases.render(NEXT, **{**DEFAULT, "validation_mode": "jwt"}))
    assert changes(new, service) == done_by_team


@pytest.mark.parametrize("arguments", [[], ["--choose", "include_caching=true"]])
def test_undo_leaves_nothing(releases: Releases, arguments: list[str]) -> None:
    """The command that is printed, after a merge that adds files and leaves conflicts."""
    service = make_service(releases, TREE, SERVICES[1])
    for file in ("app/auth/policy.py", "pyproject.toml", "README.md"):
        write(service / file, "# Changed by the team.\n", "a")
    git(service, "rm", "--quiet", "app/services.py")
    commit(service, "Change what belongs to the template")
    before = state(service)

    result = releases.run(TREE if arguments else NEXT, service, *arguments)

    assert result.returncode == 1
    assert "\nTo undo it: `git reset --hard`\n" in result.stdout
    assert state(service) != before
    git(service, "reset", "--hard")
    assert state(service) == before


def test_conflicts_are_named(releases: Releases) -> None:
    """Only a change of the same lines is a conflict. Everything else is merged."""
    service = make_service(releases, TREE, DEFAULT)
    write(service / "app/settings.py", "# Changed by the team.\n", "a")
    commit(service)

    result = releases.run(NEXT, service)

    assert result.returncode == 1
    assert "- app/settings.py\n" in result.stdout
    assert "policy.py" not in result.stdout
    assert "<<<<<<<" in (service / "app/settings.py").read_text(encoding="utf-8")
    again = releases.run(NEXT, service)
    assert (again.returncode, again.stdout) == (1, "")
    assert "Resolve its conflicts" in again.stderr


def test_a_service_in_a_folder_of_a_repository(releases: Releases) -> None:
    """The folder is found, and nothing outside it changes."""
    service = releases.render(TREE, **DEFAULT)
    git(service.parent, "init", "--quiet")
    commit(service.parent)

    assert releases.run(NEXT, service).returncode == 0
    commit(service.parent)

    assert changes(Project(releases.render(NEXT, **DEFAULT)), service) == {}


def test_cruft_knows_of_an_update(releases: Releases) -> None:
    """A team may use both."""
    service = releases.create_with_cruft(TREE, DEFAULT)

    assert releases.run(NEXT, service).returncode == 0

    record = json.loads((service / ".cruft.json").read_text(encoding="utf-8"))
    assert record["commit"] == git(releases.repository, "rev-parse", f"v{NEXT}")
    assert record["context"]["cookiecutter"]["_template_version"] == NEXT


def test_a_lock_is_made_again(
    releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the service's own. A change of it does not stop an update."""
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\necho locked > uv.lock\n", encoding="utf-8")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{uv.parent}{os.pathsep}{os.environ['PATH']}")
    service = make_service(releases, TREE, DEFAULT)
    (service / "uv.lock").write_text("old\n", encoding="utf-8")
    commit(service)
    (service / "uv.lock").write_text("changed by a command\n", encoding="utf-8")

    assert releases.run(NEXT, service).returncode == 0

    assert git(service, "show", ":uv.lock") == "locked"


def test_the_commands_of_the_service(releases: Releases) -> None:
    """From a clone of the template, at the newest release or the wanted one."""
    service = make_service(releases, TREE, {**DEFAULT, "include_webhooks": True})

    def make(*arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        return subprocess.run(
            ["make", f"TEMPLATE={releases.repository}", f"PYTHON={sys.executable}", *arguments],
            cwd=service,
            env=kept,
            capture_output=True,
            encoding="utf-8",
        )

    same = make("update", f"TO=v{TREE}")
    assert (same.returncode, same.stdout) == (
        0,
        f"Nothing to do: the service has {TREE} and these choices.\n",
    )
    assert "validation_mode=introspection|jwt|sdk" in make("choose").stderr
    missing = make("update", "TO=v9.9.9")
    assert missing.returncode != 0
    assert "The template has no tag v9.9.9." in missing.stderr
    chosen = make("choose", "validation_mode=sdk", "author=A B", "include_caching=false")
    assert chosen.stdout.startswith(
        "Choose author=A B, validation_mode=sdk, include_caching=false: "
    )
    commit(service)
    updated = make("update")
    assert updated.stdout.startswith(f"Update from olympus-fastapi {TREE} to {NEXT}: ")
    commit(service)
    record = json.loads((service / ".cookiecutter.json").read_text(encoding="utf-8"))
    assert (record["validation_mode"], record["author"]) == ("sdk", "A B")
    assert record["_template_version"] == NEXT
