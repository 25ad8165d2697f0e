"""Static keys of senders that cannot sign."""

from typing import Any

import pytest

from app.settings import Settings
from app.webhooks.signature import API_KEY, SIGNATURE, TIMESTAMP
from tests.callers import Clock
from tests.conftest import Start, problems
from tests.webhooks.conftest import Sender, assert_refused

KEY, OTHER_KEY = "key_0123456789abcdef", "key_fedcba9876543210"
UNSIGNED = [(SIGNATURE, None), (TIMESTAMP, None)]
HEADERS: dict[str, tuple[int, list[Any]]] = {
    "key": (200, [*UNSIGNED, (API_KEY, KEY)]),
    "another key": (200, [*UNSIGNED, (API_KEY, OTHER_KEY)]),
    "no key": (401, UNSIGNED),
    "a part of a key": (401, [*UNSIGNED, (API_KEY, KEY[:-1])]),
    "both keys": (401, [*UNSIGNED, (API_KEY, f"{KEY},{OTHER_KEY}")]),
    "not ASCII": (401, [*UNSIGNED, (API_KEY, "é".encode())]),
    "key and signature": (200, [(API_KEY, KEY)]),
    "wrong key and signature": (200, [(API_KEY, "wrong")]),
    "key and wrong signature": (401, [(API_KEY, KEY), (SIGNATURE, "0" * 64)]),
    "key and signature without a timestamp": (401, [(API_KEY, KEY), (TIMESTAMP, None)]),
    "key and timestamp without a signature": (401, [(API_KEY, KEY), (SIGNATURE, None)]),
}


@pytest.fixture
def keyed(start: Start, clock: Clock, inbox_url: str) -> Sender:
    """Return a sender to a service that takes two keys."""
    return Sender(start(INBOX_DATABASE_URL=inbox_url, WEBHOOK_API_KEYS=f"{OTHER_KEY},{KEY}"), clock)


@pytest.mark.parametrize(("status", "headers"), HEADERS.values(), ids=HEADERS)
def test_key(keyed: Sender, status: int, headers: list[Any]) -> None:
    assert keyed(headers=headers).status_code == status


def test_two_keys(keyed: Sender) -> None:
    headers = [*UNSIGNED, (API_KEY, KEY)]

    assert_refused(keyed(headers=headers, twice=API_KEY), 401, "Invalid signature")


def test_key_without_an_event(keyed: Sender) -> None:
    headers = [*UNSIGNED, (API_KEY, KEY)]

    assert_refused(keyed(b"{}", headers=headers), 400, "Invalid payload")


def test_no_keys_are_configured(deliver: Sender) -> None:
    headers = [*UNSIGNED, (API_KEY, KEY)]

    assert_refused(deliver(headers=headers), 401, "Invalid signature")


@pytest.mark.parametrize("keys", ["short", "x" * 16 + ",short", "é" * 20, "a b" * 8, ","])
def test_weak_key_is_refused(keys: str) -> None:
    (sentence,) = problems(Settings, WEBHOOK_API_KEYS=keys)

    assert sentence.startswith("WEBHOOK_API_KEYS has a key of less than 16 bytes")
