"""What an operator does with stored events: `python -m app.webhooks`."""

import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from app.settings import InboxSettings
from app.webhooks.__main__ import main
from app.webhooks.inbox import StoredEvent, events

Run = Callable[..., str]
ENDED = 864_000.0
"""Ten days after 1970, when two of the events ended."""
COMMON = {
    **dict.fromkeys(("occurred_at", "sent_at", "received_at", "due_at"), 1.0),
    **{"type": "user.updated", "body": '{"id": 1}', "finished_at": ENDED, "error": None},
}
ROWS: list[dict[str, object]] = [
    {**COMMON, "id": "evt_1", "state": "waiting", "attempts": 0, "finished_at": None},
    {**COMMON, "id": "evt_2", "state": "done", "attempts": 1},
    {**COMMON, "id": "evt_3", "state": "dead", "attempts": 5, "error": "KeyError"},
]


@pytest.fixture
def run(
    settings: InboxSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command and return what it prints."""
    monkeypatch.setenv("INBOX_DATABASE_URL", settings.inbox_database_url.get_secret_value())

    def run(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["app.webhooks", *arguments])
        main()
        return capsys.readouterr().out

    return run


@pytest.fixture
def database(settings: InboxSettings, run: Run) -> sa.Engine:
    """Return a database with one event in each state."""
    run("create")
    url = settings.inbox_database_url.get_secret_value().replace("sql:", "sql+psycopg:")
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.insert(events), ROWS)
    return engine


def stored(database: sa.Engine) -> dict[str, StoredEvent]:
    with database.connect() as connection:
        return {row.id: row for row in connection.execute(sa.select(events))}


@pytest.mark.usefixtures("database")
def test_list_and_show(run: Run) -> None:
    found = [line.split()[2:] for line in run("list").splitlines()]
    shown = json.loads(run("show", "evt_3"))

    assert found == [
        ["waiting", "user.updated", "evt_1"],
        ["done", "user.updated", "evt_2"],
        ["dead", "user.updated", "evt_3", "KeyError"],
    ]
    assert run("list", "--state", "dead").split()[4] == "evt_3"
    assert (shown["state"], shown["error"], shown["body"]) == ("dead", "KeyError", '{"id": 1}')


def test_retry(run: Run, database: sa.Engine) -> None:
    run("retry", "evt_3")

    row = stored(database)["evt_3"]
    assert (row.state, row.attempts, row.error, row.finished_at) == ("waiting", 0, None, None)
    assert row.due_at == row.received_at


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--days", "1"], ["evt_1", "evt_3"]),
        (["--days", "1", "--dead"], ["evt_1", "evt_2"]),
        (["--days", "100000"], ["evt_1", "evt_2", "evt_3"]),
    ],
)
def test_purge(run: Run, database: sa.Engine, options: list[str], left: list[str]) -> None:
    assert run("purge", *options) == f"{3 - len(left)} events deleted\n"
    assert sorted(stored(database)) == left
