"""Updates and changes of choices by cruft, with the steps that `UPGRADING.md` names."""

import json
from pathlib import Path

import cruft
import pytest

from tests.combinations import Answers
from tests.project import Project
from tests.slow.test_updates import DEFAULT, MODES, each_service, without
from tests.updates.repository import NEXT, TREE, Releases, commit, git
from tests.updates.team import HANDLERS, changes, edit_the_rest, grow

RECORD = ".cruft.json"
SDK_ROUTES = ("app/routes/profile.py", "app/routes/projects.py")


def make_service(releases: Releases, answers: Answers) -> Path:
    """Return a service that cruft made and a team changed."""
    service = releases.create_with_cruft(TREE, answers)
    grow(service)
    edit_the_rest(service)
    commit(service, "Add orders")
    return service


def changed(
    releases: Releases, version: str, answers: Answers, service: Path
) -> dict[str, list[str]]:
    """Return what differs from a new service of a version."""
    return without({RECORD}, changes(Project(releases.render(version, **answers)), service))


@each_service
def test_a_new_project_is_up_to_date(releases: Releases, answers: Answers) -> None:
    """Nothing in it depends on when or where it was rendered."""
    service = releases.create_with_cruft(NEXT, answers)

    assert cruft.check(service)
    assert cruft.diff(service, exit_code=True)


@each_service
def test_an_update_keeps_what_the_team_did(releases: Releases, answers: Answers) -> None:
    """The team's files are skipped, and nothing is rejected."""
    answers = {**answers, "author": 'O\'Brien & "Söhne" \\\\'}
    service = make_service(releases, answers)
    done_by_team = changed(releases, TREE, answers, service)

    assert cruft.update(service, skip_apply_ask=True, checkout=f"v{NEXT}")

    git(service, "add", "--all")
    assert changed(releases, NEXT, answers, service) == done_by_team
    assert cruft.check(service)


def switch(service: Path, **answers: object) -> None:
    """Change choices by cruft, and remove the team's files of what was switched off."""
    before = json.loads((service / ".cookiecutter.json").read_text(encoding="utf-8"))
    assert cruft.update(
        service, skip_apply_ask=True, checkout=f"v{TREE}", extra_context={**answers}
    )
    after = {**before, **answers}
    if before["validation_mode"] == "sdk" != after["validation_mode"]:
        for route in SDK_ROUTES:
            (service / route).unlink()
    if before["include_webhooks"] and not after["include_webhooks"]:
        for file in (HANDLERS, "tests/webhooks/test_handlers.py"):
            (service / file).unlink()
    git(service, "add", "--all")


@pytest.mark.parametrize(("before", "after"), MODES)
def test_a_change_of_mode(releases: Releases, before: str, after: str) -> None:
    """The same service with another way to check tokens."""
    old, new = {**DEFAULT, "validation_mode": before}, {**DEFAULT, "validation_mode": after}
    service = make_service(releases, old)
    done_by_team = changed(releases, TREE, old, service)

    switch(service, validation_mode=after)

    assert changed(releases, TREE, new, service) == done_by_team


@pytest.mark.parametrize("option", ["include_caching", "include_webhooks"])
@pytest.mark.parametrize("value", [True, False], ids=["on", "off"])
def test_an_option_is_switched(releases: Releases, option: str, value: bool) -> None:
    """Handlers and their tests that are as rendered are removed by hand."""
    old = {**DEFAULT, option: not value}
    service = releases.create_with_cruft(TREE, old)
    grow(service)
    commit(service, "Add orders")
    done_by_team = changed(releases, TREE, old, service)

    switch(service, **{option: value})

    assert changed(releases, TREE, {**old, option: value}, service) == done_by_team


def test_a_service_that_cookiecutter_made_is_linked(releases: Releases) -> None:
    """With its recorded answers and its tag. Without them, cruft would record the defaults."""
    answers = {**DEFAULT, "validation_mode": "jwt", "include_webhooks": True}
    service = releases.render(TREE, **answers)
    git(service, "init", "--quiet")
    recorded = json.loads((service / ".cookiecutter.json").read_text(encoding="utf-8"))

    assert cruft.link(
        str(releases.repository), service, checkout=f"v{TREE}", extra_context=recorded
    )
    commit(service)
    assert cruft.update(service, skip_apply_ask=True, checkout=f"v{NEXT}")

    git(service, "add", "--all")
    assert changed(releases, NEXT, answers, service) == {}
