"""A grown service still passes its checks and tests after updates and changes of choices."""

import sys
from pathlib import Path

from tests.slow.conftest import Installed
from tests.slow.test_updates import DEFAULT, needs_history
from tests.updates.repository import LAST, NEXT, TREE, Releases, commit, git
from tests.updates.team import grow


def check(service: Path) -> None:
    """Run the commands that a pull request has to pass."""
    project = Installed(service, sys.executable)
    project.make("install")
    project.make("check")
    project.make("test")


def make_service(releases: Releases, version: str) -> Path:
    """Return a service with a router, a table, a setting, a resource, a check, a dependency."""
    service = releases.render(version, **DEFAULT)
    git(service, "init", "--quiet")
    grow(service)
    commit(service, "Add orders")
    return service


def test_after_other_choices_and_an_update(releases: Releases) -> None:
    """From a service with a cache to one without, in another mode."""
    service = make_service(releases, TREE)
    chosen = ["validation_mode=sdk", "include_caching=false"]

    assert releases.run(TREE, service, "--choose", *chosen).returncode == 0
    commit(service, "Choose")
    assert releases.run(NEXT, service).returncode == 0

    check(service)


@needs_history
def test_after_an_update_from_the_last_release(releases: Releases) -> None:
    """What the team wrote for the last release works with the tree."""
    service = make_service(releases, LAST)

    assert releases.run(TREE, service).returncode == 0

    check(service)
