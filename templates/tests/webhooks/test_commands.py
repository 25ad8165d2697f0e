"""What an operator does with stored events: `python -m app.webhooks`."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.database import Database, open_database
from app.webhooks.__main__ import main
from app.webhooks.inbox import Inbox, StoredEvent
from tests.webhooks.conftest import change, event, stored

Run = Callable[..., str]


@pytest.fixture
def run(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command and return what it prints."""

    def run(*arguments: str) -> str:
        monkeypatch.setenv("INBOX_DATABASE_URL", database_url)
        monkeypatch.setattr("sys.argv", ["app.webhooks", *arguments])
        main()
        return capsys.readouterr().out

    return run


@pytest.fixture
def events(database_url: str) -> None:
    """Store one event in each state. Two of them ended ten days ago."""

    async def store(database: Database) -> None:
        for name in ("waiting", "done", "dead"):
            await Inbox(database).accept(event(f"evt_{name}"))
        ended = "UPDATE inbox_events SET state = :state, finished_at = received_at - 864000"
        for name in ("done", "dead"):
            await change(database, f"{ended} WHERE id = :id", state=name, id=f"evt_{name}")
        await change(
            database,
            "UPDATE inbox_events SET error = 'KeyError', attempts = 5 WHERE state = 'dead'",
        )

    asyncio.run(opened(database_url, store))


async def opened(url: str, use: Callable[[Database], object]) -> object:
    async with open_database(url) as database:
        return await use(database)  # type: ignore[misc]


def rows(url: str) -> dict[str, StoredEvent]:
    found = asyncio.run(opened(url, stored))
    assert isinstance(found, dict)
    return found


@pytest.mark.usefixtures("events")
def test_list(run: Run) -> None:
    lines = [line.split() for line in run("list").splitlines()]

    assert sorted(line[2:] for line in lines) == [
        ["dead", "user.updated", "evt_dead", "KeyError"],
        ["done", "user.updated", "evt_done"],
        ["waiting", "user.updated", "evt_waiting"],
    ]
    assert run("list", "--state", "dead").split()[4] == "evt_dead"


@pytest.mark.usefixtures("events")
def test_show(run: Run) -> None:
    shown = json.loads(run("show", "evt_dead"))

    assert (shown["state"], shown["error"], shown["attempts"]) == ("dead", "KeyError", 5)
    assert json.loads(shown["body"])["data"] == {"user_id": "anna"}


@pytest.mark.usefixtures("events")
def test_retry(run: Run, database_url: str) -> None:
    run("retry", "evt_dead")

    row = rows(database_url)["evt_dead"]
    assert (row.state, row.attempts, row.error, row.finished_at) == ("waiting", 0, None, None)


@pytest.mark.parametrize(
    ("options", "purged", "left"),
    [
        (["--days", "9"], "1", {"evt_waiting", "evt_dead"}),
        (["--days", "9", "--dead"], "1", {"evt_waiting", "evt_done"}),
        (["--days", "11"], "0", {"evt_waiting", "evt_done", "evt_dead"}),
    ],
)
@pytest.mark.usefixtures("events")
def test_purge(
    run: Run, database_url: str, options: list[str], purged: str, left: set[str]
) -> None:
    assert run("purge", *options) == f"{purged} events deleted\n"
    assert set(rows(database_url)) == left


def test_create(run: Run, database_url: str) -> None:
    run("create")

    assert rows(database_url) == {}


@pytest.mark.parametrize("command", ["show", "retry"])
@pytest.mark.usefixtures("events")
def test_unknown_event(run: Run, command: str) -> None:
    with pytest.raises(SystemExit, match="There is no event evt_x"):
        run(command, "evt_x")


@pytest.mark.usefixtures("events")
def test_waiting_event_is_not_retried(run: Run) -> None:
    with pytest.raises(SystemExit, match="There is no event evt_waiting that is done or dead"):
        run("retry", "evt_waiting")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://localhost/inbox", "INBOX_DATABASE_URL is not a supported database"),
        ("sqlite:////nowhere/inbox.sqlite", "The inbox cannot be opened"),
    ],
)
def test_wrong_database_is_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, words: str
) -> None:
    monkeypatch.setenv("INBOX_DATABASE_URL", url)
    monkeypatch.setattr("sys.argv", ["app.webhooks", "list"])
    with pytest.raises(SystemExit, match=words):
        main()
