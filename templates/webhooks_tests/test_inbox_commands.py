"""What people do with the inbox on the command line, beside the running service."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.inbox_commands import main
from tests.webhooks.conftest import Log, Sender, body, eventually

Run = Callable[..., Any]


@pytest.fixture
def run(inbox_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return how a command is run: its document with `--json`, else what it prints."""
    monkeypatch.setenv("INBOX_DATABASE_URL", inbox_url)

    def run(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert main(arguments) == code
        printed = capsys.readouterr()
        if code:
            assert printed.out == ""
            return printed.err
        return json.loads(printed.out) if "--json" in arguments else printed.out

    return run


@pytest.fixture
def three(deliver: Sender, log: Log, run: Run) -> Sender:
    """Return a sender whose events are one processed and two dead ones."""
    deliver(body("evt_1"))
    deliver(body("evt_2", "user.deleted", user_id=7))
    deliver(body("evt_3", "user.deleted", user_id=""))
    eventually(lambda: run("stats", "--json")["waiting"] == 0)
    return deliver


@pytest.mark.usefixtures("three")
def test_events_are_listed(run: Run) -> None:
    listed = run("list", "--json")

    assert sorted((each["id"], each["type"], each["state"], each["reason"]) for each in listed) == [
        ("evt_1", "user.updated", "processed", None),
        ("evt_2", "user.deleted", "dead", "no_subject"),
        ("evt_3", "user.deleted", "dead", "no_subject"),
    ]
    assert sorted(line.split()[1:] for line in run("list").splitlines())[-1:] == [
        ["processed", "user.updated", "evt_1"]
    ]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(("state", "ids"), [("processed", 1), ("dead", 2), ("waiting", 0)])
def test_events_in_one_state_are_listed(run: Run, state: str, ids: int) -> None:
    listed = run("list", "--status", state, "--json")

    assert [each["state"] for each in listed] == [state] * ids


@pytest.mark.usefixtures("three")
def test_an_event_is_shown_with_its_body(run: Run) -> None:
    shown = run("show", "evt_2", "--json")

    assert shown["body"] == json.loads(body("evt_2", "user.deleted", user_id=7))
    assert (shown["attempts"], shown["reason"]) == (1, "no_subject")
    assert "reason: no_subject\n" in run("show", "evt_2")
    assert "finished_at: 20" in run("show", "evt_2")


@pytest.mark.usefixtures("three")
def test_events_are_counted(run: Run) -> None:
    assert run("stats", "--json") == {
        "waiting": 0,
        "processed": 1,
        "dead": 2,
        "oldest_waiting_seconds": None,
    }
    assert "dead: 2\n" in run("stats")


@pytest.mark.parametrize("event_id", ["evt_1", "evt_2"])
def test_an_event_is_processed_once_more(three: Sender, log: Log, run: Run, event_id: str) -> None:
    """Twice on the same event, under its own id; and a later delivery is still a repeat."""

    def outcomes() -> int:
        return len([line for line in log.lines if f"event_id={event_id}" in line])

    for times in (2, 3):
        assert event_id in run("retry", event_id)
        eventually(lambda times=times: outcomes() == times)  # type: ignore[misc]
        eventually(lambda: run("stats", "--json")["waiting"] == 0)
    assert three(body(event_id)).status_code == 200
    three(body("evt_9"))
    log.wait_for("webhook processed event_id=evt_9")

    assert outcomes() == 3
    assert run("show", event_id, "--json")["id"] == event_id
    assert len(run("list", "--json")) == 4
    assert "repeated" not in "".join(log.lines)


def test_what_is_not_done_yet_is_not_retried(deliver: Sender, run: Run, log: Log) -> None:
    """It goes on by itself, and would be processed twice."""
    deliver(body())
    log.wait_for("webhook processed")
    deliver.client.__exit__(None, None, None)
    run("retry", "evt_1")
    stats = run("stats", "--json")

    assert run("retry", "evt_1", code=1) == ("Event evt_1 is not done yet: it goes on by itself.\n")
    assert stats["waiting"] == 1
    assert 0 <= stats["oldest_waiting_seconds"] < 60
    assert "oldest_waiting_seconds: " in run("stats")


@pytest.mark.usefixtures("three")
def test_old_events_are_forgotten(three: Sender, run: Run, log: Log) -> None:
    """Dead letters only when they are asked for; and what is forgotten is new again."""
    assert run("purge", "--older-than", "7d", "--json") == {"purged": 0}
    assert run("purge", "--older-than", "0s", "--json") == {"purged": 1}
    assert [each["state"] for each in run("list", "--json")] == ["dead", "dead"]
    three(body("evt_1"))
    log.wait_for("webhook processed", 2)
    assert "2 events purged" in run("purge", "--older-than", "0s", "--dead")


@pytest.mark.usefixtures("three")
def test_all_pages_are_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.inbox_commands.PAGE", 1)
    monkeypatch.setattr("app.inbox_commands.BATCH", 1)

    assert len(run("list", "--json")) == 3
    assert run("stats", "--json")["dead"] == 2
    assert run("purge", "--older-than", "0s", "--dead", "--json") == {"purged": 2}


@pytest.mark.usefixtures("deliver")
def test_an_unknown_event_is_said_so(run: Run) -> None:
    for command in ("show", "retry"):
        assert run(command, "evt_9", code=1) == "The inbox has no event evt_9.\n"


def test_no_inbox_is_said_so(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And none is made: the service would take an empty file for its own."""
    missing = tmp_path / "missing.sqlite"
    monkeypatch.setenv("INBOX_DATABASE_URL", f"sqlite:///{missing}")

    assert run("list", code=1).startswith(f"There is no inbox at {missing}")
    assert not missing.exists()


def test_a_wrong_setting_is_said_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INBOX_DATABASE_URL", "hunter2")

    assert run("list", code=1).startswith("INBOX_DATABASE_URL is not the address")


def test_no_database_is_said_without_the_password(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INBOX_DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:9/inbox")
    said = run("list", code=1)

    assert said.startswith("The inbox does not answer (OperationalError): look at ")
    assert "hunter2" not in said


@pytest.mark.parametrize("age", ["", "7", "d", "-1d", "1w", "1.5h", "7 d"])
def test_an_age_is_a_number_and_a_unit(run: Run, age: str) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["purge", "--older-than", age])

    assert refusal.value.code == 2
