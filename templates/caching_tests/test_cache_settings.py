"""The variables about remembering: what is refused at the start, in words."""

import pytest

from app.services import AppSettings
from app.settings import InvalidSettings
from tests.conftest import ENVIRON

WRONG = {
    "unknown-scheme": ("CACHE_URL", "memcached://localhost"),
    "no-url": ("CACHE_URL", "localhost:6379"),
    "file": ("CACHE_URL", "unix:///tmp/redis.sock"),
    "no-host": ("CACHE_URL", "redis://"),
    "port-zero": ("CACHE_URL", "redis://localhost:0"),
    "no-port": ("CACHE_URL", "redis://localhost:high"),
    "options": ("CACHE_URL", "redis://localhost?socket_timeout=60"),
    "no-database": ("CACHE_URL", "redis://localhost/answers"),
    "memory-of-a-host": ("CACHE_URL", "memory://localhost"),
    "negative": ("CACHE_TTL", "-1"),
    "too-long": ("CACHE_TTL", "301"),
    "for-ever": ("CACHE_TTL", "inf"),
    "no-number": ("CACHE_TTL", "30s"),
    "negative-no": ("CACHE_NEGATIVE_TTL", "-0.1"),
    "too-long-a-no": ("CACHE_NEGATIVE_TTL", "61"),
    "no-room": ("CACHE_MAX_ENTRIES", "0"),
    "half-an-entry": ("CACHE_MAX_ENTRIES", "1.5"),
}


@pytest.mark.parametrize(("variable", "value"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_refused_in_words(variable: str, value: str) -> None:
    with pytest.raises(InvalidSettings) as refusal:
        AppSettings.read({**ENVIRON, variable: value})
    (sentence,) = str(refusal.value).splitlines()

    assert sentence.startswith(f"{variable} ")
    assert f", for example {variable}=" in sentence
    assert "'" not in sentence


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(InvalidSettings) as refusal:
        AppSettings.read(
            {
                **ENVIRON,
                "CACHE_URL": "https://example.com",
                "CACHE_TTL": "-1",
                "CACHE_NEGATIVE_TTL": "long",
                "CLOCK_LEEWAY": "90",
            }
        )
    variables = {sentence.partition(" ")[0] for sentence in str(refusal.value).splitlines()}

    assert variables == {"CACHE_URL", "CACHE_TTL", "CACHE_NEGATIVE_TTL", "CLOCK_LEEWAY"}


@pytest.mark.parametrize(
    "url",
    [
        "memory://",
        "redis://localhost",
        "redis://localhost:6379/0",
        "redis://user:p%40ss@10.0.0.7:6379/15",
        "rediss://:secret@answers.example.com:6380",
    ],
)
def test_a_good_url_is_taken(url: str) -> None:
    assert AppSettings.read({**ENVIRON, "CACHE_URL": url}).cache.url.get_secret_value() == url


def test_a_password_is_not_shown() -> None:
    """Neither of a good URL nor of a bad one."""
    settings = AppSettings.read({**ENVIRON, "CACHE_URL": "redis://:hush@localhost"})
    with pytest.raises(InvalidSettings) as refusal:
        AppSettings.read({**ENVIRON, "CACHE_URL": "rediz://:hush@localhost"})

    assert "hush" not in f"{settings!r}{refusal.value}"


def test_the_limits_are_allowed() -> None:
    limits = {"CACHE_TTL": "300", "CACHE_NEGATIVE_TTL": "60", "CACHE_MAX_ENTRIES": "1"}
    none = {"CACHE_TTL": "0", "CACHE_NEGATIVE_TTL": "0"}

    assert AppSettings.read({**ENVIRON, **limits}).cache.ttl == 300
    assert AppSettings.read({**ENVIRON, **none}).cache.negative_ttl == 0
