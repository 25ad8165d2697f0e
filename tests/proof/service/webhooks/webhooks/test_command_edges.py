"""Commands that cannot be carried out, and events that no service takes."""

import pytest
import sqlalchemy as sa

from app.settings import InboxSettings, Settings
from app.webhooks.__main__ import main as operate
from app.webhooks.inbox import events
from dev.__main__ import main
from tests.conftest import problems, read_settings
from tests.ports import free_ports
from tests.webhooks.test_commands import Run, database, run

__all__ = ["database", "run"]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://localhost/inbox", "INBOX_DATABASE_URL is not a supported database"),
        ("sqlite:////nowhere/inbox.sqlite", "The inbox cannot be opened .* check"),
        ("postgresql://me:hunter2@127.0.0.1:9/inbox", "The inbox cannot be opened .* check"),
        ("postgresql://localhost:port/inbox", "The inbox cannot be opened .* check"),
    ],
)
def test_wrong_database(monkeypatch: pytest.MonkeyPatch, url: str, sentence: str) -> None:
    monkeypatch.setattr("sys.tracebacklimit", 100, raising=False)
    monkeypatch.setenv("INBOX_DATABASE_URL", url)
    monkeypatch.setattr("sys.argv", ["app.webhooks", "list"])
    with pytest.raises(SystemExit, match=sentence) as exit_:
        operate()

    assert "hunter2" not in str(exit_.value)


def test_database_that_fails_later(
    settings: InboxSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = events.to_metadata(sa.MetaData(), name="missing")
    monkeypatch.setattr("app.webhooks.__main__.events", missing)
    monkeypatch.setenv("INBOX_DATABASE_URL", settings.inbox_database_url.get_secret_value())
    monkeypatch.setattr("sys.argv", ["app.webhooks", "retry", "evt_1"])
    with pytest.raises(SystemExit, match="The database does not answer"):
        operate()


def test_send_without_a_service(capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)

    assert main(["send", "user.deleted", "--port", str(port)]) == 1
    assert f"at http://127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["sqlite://", "postgresql://", "mysql://me:hunter2@host/inbox"])
def test_unsupported_database(url: str) -> None:
    (sentence,) = problems(Settings, INBOX_DATABASE_URL=url)

    assert sentence.startswith("INBOX_DATABASE_URL is not a supported database")
    assert "hunter2" not in sentence


@pytest.mark.parametrize("value", ["x" * 32, "é" * 16, "x" * 32 + " , " + "y" * 40])
def test_secret_of_32_bytes(value: str) -> None:
    assert read_settings(Settings, WEBHOOK_SECRETS=value).webhook_secrets


@pytest.mark.parametrize("data", ["7", "{"])
def test_sent_data_that_is_no_object(data: str) -> None:
    with pytest.raises(SystemExit):
        main(["send", "invoice.paid", "--data", data])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "evt_x"], "There is no event evt_x."),
        (["retry", "evt_x"], "There is no event evt_x that is done or dead."),
        (["retry", "evt_1"], "There is no event evt_1 that is done or dead."),
    ],
)
@pytest.mark.usefixtures("database")
def test_wrong_event(run: Run, arguments: list[str], sentence: str) -> None:
    with pytest.raises(SystemExit, match=sentence):
        run(*arguments)
