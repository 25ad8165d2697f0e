"""Settings of webhooks and the inbox."""

import pytest

from app.settings import InboxSettings, Settings
from tests.conftest import problems, read_settings


def test_defaults() -> None:
    settings = read_settings(Settings, INBOX_DATABASE_URL="")

    assert settings.webhook_max_bytes == 262_144
    assert settings.inbox_database_url.get_secret_value() == "sqlite:///inbox.sqlite"
    assert settings.inbox_retention_days == 30


WRONG = {
    "WEBHOOK_SECRETS": ["", "x" * 31, "x" * 32 + ",hunter2", "x" * 32 + ",", ",", "é" * 15],
    "INBOX_RETENTION_DAYS": ["0", "-1", "1.5", "3651", "for ever"],
    "WEBHOOK_MAX_BYTES": ["0", "-1", "1.5", "256 KiB"],
    "INBOX_DATABASE_URL": [
        "inbox.sqlite",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "postgresql://",
        "mysql://me:hunter2@localhost/inbox",
    ],
}


@pytest.mark.parametrize(
    ("variable", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_wrong_value_is_explained(variable: str, value: str) -> None:
    (sentence,) = problems(Settings, **{variable: value})

    assert sentence.startswith(f"{variable} ")
    assert ": set " in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("value", ["x" * 32, "é" * 16, "x" * 32 + " , " + "y" * 40])
def test_secret_of_32_bytes(value: str) -> None:
    assert read_settings(Settings, WEBHOOK_SECRETS=value).webhook_secrets


@pytest.mark.parametrize(
    "url", ["sqlite:////var/lib/inbox.sqlite", "postgresql://u:hunter2@db.example.com/inbox"]
)
def test_supported_database(url: str) -> None:
    settings = read_settings(Settings, INBOX_DATABASE_URL=url, WEBHOOK_SECRETS="hunter2" * 5)

    assert settings.inbox_database_url.get_secret_value() == url
    assert "hunter2" not in repr(settings)


def test_inbox_is_read_alone() -> None:
    """The command line needs no other variable."""
    settings = read_settings(InboxSettings, WEBHOOK_SECRETS="", AUDIENCE="", IDP_TIMEOUT="never")

    assert settings.inbox_database_url.get_secret_value() == "sqlite:///inbox.sqlite"
