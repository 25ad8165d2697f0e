"""Settings of webhooks and the inbox."""

import pytest

from app.settings import InboxSettings, Settings
from tests.conftest import problems, read_settings

LONG = "x" * 32
URLS = ["inbox.sqlite", "sqlite:///", "sqlite:///:memory:", "mysql://me:hunter2@host/inbox"]
WRONG = {
    "WEBHOOK_SECRETS": ["", "x" * 31, f"{LONG},hunter2", f"{LONG},", "é" * 15],
    "INBOX_RETENTION_DAYS": ["0", "1.5", "3651", "for ever"],
    "WEBHOOK_MAX_BYTES": ["0", "1.5", "256 KiB"],
    "INBOX_DATABASE_URL": URLS,
}
ROWS = [(name, value) for name, values in WRONG.items() for value in values]


@pytest.mark.parametrize(("variable", "value"), ROWS)
def test_wrong_value_is_explained(variable: str, value: str) -> None:
    (sentence,) = problems(Settings, **{variable: value})

    assert sentence.startswith(f"{variable} ")
    assert ": set " in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("url", ["sqlite:////var/inbox.sqlite", "postgresql://u:hunter2@host/x"])
def test_supported_database(url: str) -> None:
    settings = read_settings(Settings, INBOX_DATABASE_URL=url, WEBHOOK_SECRETS="hunter2" * 5)

    assert settings.inbox_database_url.get_secret_value() == url
    assert "hunter2" not in repr(settings)


def test_commands_need_no_other_variable() -> None:
    settings = read_settings(InboxSettings, WEBHOOK_SECRETS="", AUDIENCE="", IDP_TIMEOUT="never")

    assert settings.inbox_database_url.get_secret_value() == "sqlite:///inbox.sqlite"
    assert settings.inbox_retention_days == 30
