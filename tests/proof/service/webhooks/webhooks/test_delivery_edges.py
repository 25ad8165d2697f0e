"""Deliveries that are written in unusual ways, and senders that misbehave."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from app.settings import Settings
from app.webhooks import router
from app.webhooks.events import DeliveryRefused
from app.webhooks.signature import PATH, SIGNATURE, TIMESTAMP
from dev.provider import Provider
from tests.callers import Clock
from tests.conftest import Start, read_settings
from tests.webhooks.conftest import Sender, assert_refused, body, lines

MALFORMED = ["x", "sha256=", "0" * 63, "A" * 64, "é" * 32]
INVALID = {
    "UTF-16": '{"id": "evt_1", "type": "user.updated"}'.encode("utf-16"),
    "not a number": b'{"id": "evt_1", "type": "user.updated", "data": NaN}',
    "10,000 digits and no type": b'{"id": "evt_1", "data": ' + b"1" * 10_000 + b"}",
    "nested": b"[" * 100_000,
    "text": b'"evt_1"',
    "null": b"null",
    "id that is null": b'{"id": null, "type": "user.updated"}',
    "id that is empty": body(""),
    "half a surrogate pair": b'{"id": "\\ud800", "type": "user.updated"}',
    "control": body("\0"),
    "type that is a list": b'{"id": "evt_1", "type": ["user.updated"]}',
    "one of two ids is null": b'{"id": "a", "event_id": null, "type": "user.updated"}',
}


@pytest.mark.parametrize("name", [SIGNATURE, TIMESTAMP])
@pytest.mark.parametrize("value", MALFORMED)
def test_malformed_header(deliver: Sender, name: str, value: str) -> None:
    response = deliver(headers={name: value.encode()})

    assert_refused(response, 401, "Invalid signature")


def test_body_that_is_written_differently(deliver: Sender) -> None:
    """The signature is over the exact bytes."""
    signed_request = deliver().request
    headers = {name: signed_request.headers[name] for name in (SIGNATURE, TIMESTAMP)}
    other = json.dumps(json.loads(body()), indent=1).encode()

    assert_refused(deliver(other, headers=headers), 401, "Invalid signature")


@pytest.mark.parametrize("content", INVALID.values(), ids=INVALID)
def test_invalid_event(deliver: Sender, content: bytes) -> None:
    assert_refused(deliver(content), 400, "Invalid payload")


def test_longest_id(deliver: Sender) -> None:
    assert deliver(body("x" * 256)).status_code == 200


@pytest.mark.parametrize("media_type", ["text/plain", "text/json+json", "application/json+", ""])
def test_other_media_type(deliver: Sender, media_type: str) -> None:
    response = deliver(headers={"Content-Type": media_type})

    assert_refused(response, 415, "Unsupported media type")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "application/a+json"])
def test_media_type_of_json(deliver: Sender, media_type: str) -> None:
    assert deliver(headers={"Content-Type": media_type}).status_code == 200


@pytest.fixture
def small(start: Start, clock: Clock, inbox_url: str) -> Sender:
    return Sender(start(INBOX_DATABASE_URL=inbox_url, WEBHOOK_MAX_BYTES="100"), clock)


@pytest.mark.parametrize(("length", "status"), [(100, 200), (101, 413)])
def test_limit(small: Sender, length: int, status: int) -> None:
    assert small(body().ljust(length)).status_code == status


def test_length_that_is_a_lie(small: Sender) -> None:
    def parts() -> Iterator[bytes]:
        yield from [b" " * 60] * 1000

    response = small.client.post(PATH, content=parts(), headers={"Content-Length": "1"})

    assert_refused(response, 413, "Payload too large")


def test_disconnected_sender(deliver: Sender) -> None:
    """No traceback is logged."""
    request = {"type": "http.request", "body": b"{", "more_body": True}
    left = iter([request, {"type": "http.disconnect"}])

    async def receive() -> Message:
        return next(left)

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [], "state": {}}
    scope["state"] = {"settings": read_settings(Settings), "clock": deliver.clock}
    with pytest.raises(DeliveryRefused, match="400"):
        asyncio.run(router.receive(Request(scope, receive)))


def test_other_method(deliver: Sender) -> None:
    assert deliver.client.get(PATH).status_code == 405


@pytest.mark.parametrize("delivery", [{"secret": "x" * 32}, {}])
def test_log_shows_nothing_of_a_refused_delivery(
    deliver: Sender, caplog: pytest.LogCaptureFixture, delivery: dict[str, Any]
) -> None:
    deliver(b'{"secret": "hunter2"}', **delivery)

    assert len(lines(caplog, "webhook refused")) == 1
    assert "hunter2" not in caplog.text


def test_provider_is_not_called(deliver: Sender, provider: Provider) -> None:
    provider.outage = True
    before = provider.calls

    assert deliver().status_code == 200
    assert provider.calls == before


def test_removed_secret(start: Start, clock: Clock) -> None:
    send = Sender(start(WEBHOOK_SECRETS="x" * 32), clock)

    assert_refused(send(), 401, "Invalid signature")
