"""What a sender sees: deliveries that are accepted and refused, and the order of the checks."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.webhooks.signature import PATH, SIGNATURE, TIMESTAMP
from dev.signing import SECRET, signed
from tests.callers import NOW, Clock
from tests.conftest import Start
from tests.webhooks.conftest import Sender, assert_refused, body, lines

OTHER_SECRET = "whsec_of_another_sender_0123456789abcdef"
ANNA = {"id": "anna"}
CALL = {"event_id": "evt_1", "event_type": "user.updated", "payload": ANNA}
TWO_IDS = {"id": "evt_1", "event_id": "evt_1", "type": "user.updated", "data": ANNA}
PROCESSED = "webhook processed event_id=evt_1 event_type=user.updated"

ACCEPTED: dict[str, dict[str, Any]] = {
    "id, type and data": {},
    "event_id, event_type and payload": {"content": json.dumps(CALL).encode()},
    "two ids that agree": {"content": json.dumps(TWO_IDS).encode()},
    "300 seconds old": {"off": -300},
    "300 seconds ahead": {"off": 300},
    "JSON of another name": {"headers": [("Content-Type", "Application/CloudEvents+JSON; v=1")]},
    "no content type": {"headers": [("Content-Type", None)]},
    "not compressed": {"headers": [("Content-Encoding", "identity")]},
}
UNSIGNED = [(SIGNATURE, None), (TIMESTAMP, None)]
REFUSED: dict[str, tuple[int, dict[str, Any]]] = {
    "no signature": (401, {"headers": [(SIGNATURE, None)]}),
    "no timestamp": (401, {"headers": [(TIMESTAMP, None)]}),
    "neither": (401, {"headers": UNSIGNED}),
    "two signatures": (401, {"twice": SIGNATURE}),
    "two timestamps": (401, {"twice": TIMESTAMP}),
    "signature of another body": (401, {"headers": signed(body("evt_2"), at=NOW).items()}),
    "signature of another time": (401, {"headers": [(TIMESTAMP, f"{NOW + 1:.0f}")]}),
    "signature of another secret": (401, {"secret": OTHER_SECRET}),
    "signature that is empty": (401, {"headers": [(SIGNATURE, "")]}),
    "signature that is not ASCII": (401, {"headers": [(SIGNATURE, "é".encode() * 32)]}),
    "timestamp that is empty": (401, {"headers": [(TIMESTAMP, "")]}),
    "timestamp that is not ASCII": (401, {"headers": [(TIMESTAMP, "é".encode())]}),
    "timestamp with a fraction": (401, {"headers": [(TIMESTAMP, f"{NOW:.1f}")]}),
    "301 seconds old": (401, {"off": -301}),
    "301 seconds ahead": (401, {"off": 301}),
    "one byte too many": (413, {"content": b" " * 262_145}),
    "compressed": (415, {"headers": [("Content-Encoding", "gzip")]}),
    "compressed twice": (415, {"headers": [("Content-Encoding", "identity, br")]}),
    "a form": (415, {"headers": [("Content-Type", "application/x-www-form-urlencoded")]}),
    "almost JSON": (415, {"headers": [("Content-Type", "application/jsonp")]}),
    "not UTF-8": (400, {"content": b'{"id": "\xff", "type": "user.updated"}'}),
    "not JSON": (400, {"content": b"id=evt_1"}),
    "nothing": (400, {"content": b""}),
    "not an object": (400, {"content": b"[]"}),
    "one name twice": (400, {"content": b'{"id": "a", "id": "b", "type": "user.updated"}'}),
    "no id": (400, {"content": b'{"type": "user.updated"}'}),
    "no type": (400, {"content": b'{"id": "evt_1"}'}),
    "id that is a number": (400, {"content": b'{"id": 1, "type": "user.updated"}'}),
    "id that is blank": (400, {"content": body(" ")}),
    "id of 257 characters": (400, {"content": body("x" * 257)}),
    "id with a line break": (400, {"content": body("a\nb")}),
    "two ids that differ": (400, {"content": b'{"id": "a", "event_id": "b", "type": "x"}'}),
    "two types that differ": (400, {"content": b'{"id": "a", "type": "x", "event_type": "y"}'}),
    "too large, and not signed": (413, {"content": b" " * 262_145, "headers": UNSIGNED}),
    "not JSON, and badly signed": (401, {"content": b"id=evt_1", "secret": OTHER_SECRET}),
}
DETAILS = {
    400: "Invalid payload",
    401: "Invalid signature",
    413: "Payload too large",
    415: "Unsupported media type",
}


@pytest.mark.parametrize("delivery", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted_delivery(
    deliver: Sender, caplog: pytest.LogCaptureFixture, delivery: dict[str, Any]
) -> None:
    response = deliver(**delivery)

    assert (response.status_code, response.json()) == (200, {"received": True})
    assert lines(caplog, "webhook processed", 1) == [PROCESSED]


@pytest.mark.parametrize(("status", "delivery"), REFUSED.values(), ids=REFUSED)
def test_refused_delivery(deliver: Sender, status: int, delivery: dict[str, Any]) -> None:
    assert_refused(deliver(**delivery), status, DETAILS[status])


def test_undeclared_length(deliver: Sender) -> None:
    """Bytes are counted while they are read. The rest must not be read as the next request."""

    def parts() -> Iterator[bytes]:
        yield from [b" " * 60_000] * 1000

    response = deliver.client.post(PATH, content=parts())

    assert_refused(response, 413, "Payload too large")
    assert response.headers["connection"] == "close"


def test_duplicate_is_processed_once(
    deliver: Sender, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The same request again, and one that is signed again later."""
    first, again = deliver(), deliver()
    clock.now += 100
    later = deliver()
    deliver(body("evt_2"))

    assert [response.status_code for response in (first, again, later)] == [200] * 3
    assert sorted(lines(caplog, "webhook processed", 2)) == [
        PROCESSED,
        "webhook processed event_id=evt_2 event_type=user.updated",
    ]


def test_unknown_type_is_ignored(deliver: Sender, caplog: pytest.LogCaptureFixture) -> None:
    response = deliver(body(event_type="user.renamed"))

    assert (response.status_code, response.json()) == (200, {"received": True})
    assert lines(caplog, "webhook") == [
        "webhook ignored event_id=evt_1 event_type=user.renamed",
    ]


@pytest.mark.parametrize(
    ("secret", "status"), [(SECRET, 200), (OTHER_SECRET, 200), ("x" * 32, 401)]
)
def test_both_secrets_count(start: Start, clock: Clock, secret: str, status: int) -> None:
    send = Sender(start(WEBHOOK_SECRETS=f"{OTHER_SECRET}, {SECRET}"), clock)

    assert send(body(event_type="user.renamed"), secret=secret).status_code == status


def test_failing_inbox(
    deliver: Sender, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage is a warning, a refused delivery is not. The log shows nothing of a delivery."""
    monkeypatch.setattr("app.webhooks.inbox.MAX_PENDING", 0)
    response = deliver()
    deliver(b'{"id": "hunter2"}')
    records = [record for record in caplog.records if "webhook refused" in record.msg]

    assert_refused(response, 503, "Inbox unavailable")
    assert response.headers["retry-after"] == "5"
    assert [(record.levelname, record.getMessage()) for record in records] == [
        ("WARNING", "webhook refused status=503 reason=full"),
        ("INFO", "webhook refused status=400 reason=type"),
    ]
