"""Settings of the cache."""

import pytest

from app.settings import Settings
from tests.conftest import problems, read_settings

WRONG = {
    "CACHE_URL": [
        "memcached://localhost",
        "localhost:6379",
        "unix:///tmp/redis.sock",
        "redis://",
        "redis://localhost:0",
        "redis://localhost:high",
        "redis://localhost?socket_timeout=60",
        "redis://localhost/answers",
        "memory://localhost",
        "rediz://:hunter2@localhost",
    ],
    "CACHE_TTL": ["-1", "301", "30s"],
    "CACHE_NEGATIVE_TTL": ["-0.1", "61"],
    "CACHE_MAX_ENTRIES": ["0", "1.5"],
}


@pytest.mark.parametrize(
    ("variable", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_wrong_value_is_explained(variable: str, value: str) -> None:
    (sentence,) = problems(Settings, **{variable: value})

    assert sentence.startswith(f"{variable} ")
    assert ": set " in sentence
    assert "hunter2" not in sentence


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
def test_good_url(url: str) -> None:
    settings = read_settings(Settings, CACHE_URL=url)

    assert settings.cache_url.get_secret_value() == url
    assert "p%40ss" not in repr(settings)


@pytest.mark.parametrize(("ttl", "negative_ttl"), [("300", "60"), ("0", "0")])
def test_limits_are_allowed(ttl: str, negative_ttl: str) -> None:
    limits = {"CACHE_TTL": ttl, "CACHE_NEGATIVE_TTL": negative_ttl, "CACHE_MAX_ENTRIES": "1"}
    settings = read_settings(Settings, **limits)

    assert settings.cache_ttl == float(ttl)
    assert settings.cache_negative_ttl == float(negative_ttl)
    assert settings.cache_max_entries == 1
