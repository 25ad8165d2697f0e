"""Settings of webhooks and the inbox."""

import pytest

from app.services import AppSettings
from app.settings import InvalidSettings
from tests.conftest import ENVIRON


def problems(**variables: str) -> list[str]:
    """Return the sentences about a wrong environment, one a problem."""
    with pytest.raises(InvalidSettings) as refusal:
        AppSettings.read({**ENVIRON, **variables})
    return str(refusal.value).splitlines()


def test_defaults() -> None:
    settings = AppSettings.read({**ENVIRON, "INBOX_DATABASE_URL": ""})

    assert settings.webhooks.max_bytes == 262_144
    assert settings.inbox.database_url.get_secret_value() == "sqlite:///inbox.sqlite"
    assert settings.inbox.retention_days == 30


WRONG = {
    "WEBHOOK_SECRETS": ["", "x" * 31, "x" * 32 + ",short", "x" * 32 + ",", ",", "é" * 15],
    "INBOX_RETENTION_DAYS": ["0", "-1", "1.5", "3651", "for ever"],
    "WEBHOOK_MAX_BYTES": ["0", "-1", "1.5", "256 KiB"],
    "INBOX_DATABASE_URL": [
        "inbox.sqlite",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "postgresql://",
        "mysql://localhost/inbox",
    ],
}


@pytest.mark.parametrize(
    ("variable", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_wrong_value_is_explained(variable: str, value: str) -> None:
    (sentence,) = problems(**{variable: value})

    assert sentence.startswith(f"{variable} ")
    assert f"for example {variable}=" in sentence


@pytest.mark.parametrize("value", ["x" * 32, "é" * 16, "x" * 32 + " , " + "y" * 40])
def test_secret_of_32_bytes(value: str) -> None:
    assert AppSettings.read({**ENVIRON, "WEBHOOK_SECRETS": value}).webhooks.secrets


@pytest.mark.parametrize(
    "url", ["sqlite:////var/lib/inbox.sqlite", "postgresql://u:p@db.example.com/inbox"]
)
def test_supported_database(url: str) -> None:
    settings = AppSettings.read({**ENVIRON, "INBOX_DATABASE_URL": url})

    assert settings.inbox.database_url.get_secret_value() == url


def test_no_secret_is_shown() -> None:
    secret = "hunter2" + "x" * 30
    url = f"postgresql://me:{secret}@db/inbox"
    settings = AppSettings.read({**ENVIRON, "WEBHOOK_SECRETS": secret, "INBOX_DATABASE_URL": url})
    said = problems(WEBHOOK_SECRETS="hunter2", INBOX_DATABASE_URL="hunter2")

    assert "hunter2" not in repr(settings)
    assert len(said) == 2
    assert "hunter2" not in "".join(said)
