"""Settings of the cache."""

import pytest

from app.settings import Settings
from tests.conftest import problems

WRONG = {
    "CACHE_URL": [
        "memcached://localhost",
        "localhost:6379",
        "redis://",
        "redis://localhost:0",
        "redis://localhost:high",
        "redis://localhost?socket_timeout=60",
        "redis://localhost/results",
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
