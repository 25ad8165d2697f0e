"""Static keys of senders that cannot sign, if they are configured."""

import logging

import pytest

from app.settings import Settings
from app.webhooks.signature import API_KEY
from dev.signing import signed
from tests.callers import NOW, Clock
from tests.conftest import Start, problems
from tests.webhooks.conftest import JSON, Log, Sender, assert_refused, body

KEY = "key_0123456789abcdef"
OTHER_KEY = "key_fedcba9876543210"


@pytest.fixture
def keyed(start: Start, clock: Clock, inbox_url: str) -> Sender:
    """Return a sender to a service that takes two keys."""
    return Sender(start(INBOX_DATABASE_URL=inbox_url, WEBHOOK_API_KEYS=f"{OTHER_KEY},{KEY}"), clock)


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_key_is_accepted(keyed: Sender, key: str) -> None:
    assert keyed.post(body(), {**JSON, API_KEY: key}).status_code == 200


def test_key_is_refused_if_none_is_configured(send: Sender, log: Log) -> None:
    assert_refused(send.post(body(), {**JSON, API_KEY: KEY}), 401, "Invalid signature")
    assert log.saying("webhook refused") == ["webhook refused status=401 reason=headers"]


@pytest.mark.parametrize("key", ["", "x", KEY + "x", KEY.upper(), "é", f"{KEY},{OTHER_KEY}"])
def test_wrong_key_is_refused(keyed: Sender, key: str) -> None:
    """Never a 500: what is not ASCII cannot be compared in constant time."""
    response = keyed.post(body(), [*JSON.items(), (API_KEY, key.encode())])

    assert_refused(response, 401, "Invalid signature")


def test_no_key_and_two_keys_are_refused(keyed: Sender) -> None:
    assert_refused(keyed.post(body(), JSON), 401, "Invalid signature")
    assert_refused(
        keyed.post(body(), [*JSON.items(), (API_KEY, KEY), (API_KEY, KEY)]),
        401,
        "Invalid signature",
    )


def test_signature_decides_alone(keyed: Sender) -> None:
    """A key must not let in what a signature keeps out."""
    good = signed(body(), at=NOW)
    for name in good:
        headers = {**JSON, API_KEY: KEY, name: "0" * 64}
        assert_refused(keyed.post(body(), headers), 401, "Invalid signature")

    assert keyed.post(body(), {**JSON, **good, API_KEY: "wrong"}).status_code == 200


@pytest.mark.parametrize("content", [b'{"type": "user.updated"}', b'{"id": "evt_1"}', b"[]"])
def test_id_and_type_are_required(keyed: Sender, content: bytes) -> None:
    assert_refused(keyed.post(content, {**JSON, API_KEY: KEY}), 400, "Invalid payload")


def test_duplicate_is_processed_once(keyed: Sender, log: Log) -> None:
    logging.getLogger("app").addHandler(log)
    for event_id in ("evt_1", "evt_1", "evt_2"):
        keyed.post(body(event_id), {**JSON, API_KEY: KEY})

    assert len(log.wait_for("webhook processed", 2)) == 2


@pytest.mark.parametrize("keys", ["short", "x" * 15, "x" * 16 + ",short", "é" * 20, "a b" * 8, ","])
def test_short_or_unusual_key_is_refused(keys: str) -> None:
    (sentence,) = problems(Settings, WEBHOOK_API_KEYS=keys)

    assert sentence.startswith("WEBHOOK_API_KEYS has a key of less than 16 bytes")
    assert keys not in sentence or keys == ","
