"""Static keys: their events, and keys that are not good enough."""

import pytest

from app.settings import Settings
from app.webhooks.signature import API_KEY, SIGNATURE, TIMESTAMP
from tests.callers import Clock
from tests.conftest import Start, problems
from tests.webhooks.conftest import Sender, assert_refused, body, lines

KEY = "key_0123456789abcdef"
KEYED = {SIGNATURE: None, TIMESTAMP: None, API_KEY: KEY}


@pytest.fixture
def keyed(start: Start, clock: Clock, inbox_url: str) -> Sender:
    return Sender(start(INBOX_DATABASE_URL=inbox_url, WEBHOOK_API_KEYS=KEY), clock)


@pytest.mark.parametrize("content", [b'{"type": "user.updated"}', b'{"id": "evt_1"}', b"[]"])
def test_id_and_type_are_required(keyed: Sender, content: bytes) -> None:
    assert_refused(keyed(content, headers=KEYED), 400, "Invalid payload")


def test_duplicate_is_processed_once(keyed: Sender, caplog: pytest.LogCaptureFixture) -> None:
    for event_id in ("evt_1", "evt_1", "evt_2"):
        keyed(body(event_id), headers=KEYED)

    assert len(lines(caplog, "webhook processed", 2)) == 2


@pytest.mark.parametrize("key", ["", "x", KEY.upper(), KEY + "x"])
def test_wrong_key(keyed: Sender, key: str, caplog: pytest.LogCaptureFixture) -> None:
    assert_refused(keyed(headers={**KEYED, API_KEY: key}), 401, "Invalid signature")
    assert lines(caplog, "webhook refused") == ["webhook refused status=401 reason=api_key"]


@pytest.mark.parametrize("keys", ["x" * 15, "x" * 16 + ",", "é" * 20])
def test_weak_key(keys: str) -> None:
    (sentence,) = problems(Settings, WEBHOOK_API_KEYS=keys)

    assert sentence.startswith("WEBHOOK_API_KEYS has a key of less than 16 bytes")
    assert keys not in sentence
