"""What a sender sees: the table of responses, row by row."""

import gzip
import json
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message

from app.webhooks.errors import DeliveryRefused
from app.webhooks.router import read_body
from app.webhooks.signature import PATH, SIGNATURE, TIMESTAMP
from dev.provider import Provider
from dev.signing import SECRET, signed
from tests.callers import NOW, Clock
from tests.conftest import Start
from tests.webhooks.conftest import JSON, Log, Sender, assert_refused, body

OTHER_SECRET = "whsec_of_somebody_else_0123456789abcdef"


def test_event_is_stored_and_processed(deliver: Sender, log: Log) -> None:
    response = deliver(body())

    assert (response.status_code, response.json()) == (200, {"received": True})
    assert log.wait_for("webhook processed") == [
        "webhook processed event_id=evt_1 event_type=user.updated"
    ]
    record = next(record for record in log.records if "processed" in record.getMessage())
    assert vars(record)["event_id"] == "evt_1"
    assert vars(record)["event_type"] == "user.updated"
    assert "repeated" not in vars(record)


ANNA = {"id": "anna"}
ENVELOPES = {
    "id-type-data": {"id": "evt_1", "type": "user.updated", "data": ANNA},
    "event_id-event_type-payload": {
        "event_id": "evt_1",
        "event_type": "user.updated",
        "payload": {"user": ANNA},
    },
    "both": {"id": "evt_1", "event_id": "evt_1", "type": "user.updated", "data": ANNA},
}


@pytest.mark.parametrize("document", ENVELOPES.values(), ids=ENVELOPES)
def test_both_envelopes_are_read(deliver: Sender, log: Log, document: object) -> None:
    assert deliver(json.dumps(document).encode()).status_code == 200

    assert log.wait_for("webhook processed") == [
        "webhook processed event_id=evt_1 event_type=user.updated"
    ]


@pytest.mark.parametrize("missing", [SIGNATURE, TIMESTAMP])
def test_w1_missing_header(send: Sender, missing: str) -> None:
    headers = {**JSON, **signed(body(), at=NOW)}
    del headers[missing]

    assert_refused(send.post(body(), headers), 401, "Invalid signature")


def test_w1_no_header(send: Sender) -> None:
    assert_refused(send.post(body(), JSON), 401, "Invalid signature")


@pytest.mark.parametrize("doubled", [SIGNATURE, TIMESTAMP])
def test_w1_header_sent_twice(send: Sender, doubled: str) -> None:
    """A proxy might take the other one."""
    headers = signed(body(), at=NOW)
    pairs = [*JSON.items(), *headers.items(), (doubled, headers[doubled])]

    assert_refused(send.post(body(), pairs), 401, "Invalid signature")


def test_w2_signature_of_something_else(send: Sender) -> None:
    headers = {**JSON, **signed(body(), at=NOW)}
    written_again = json.dumps(json.loads(body()), indent=1).encode()

    assert_refused(send.post(body("evt_2"), headers), 401, "Invalid signature")
    assert_refused(send.post(written_again, headers), 401, "Invalid signature")
    assert_refused(send(body(), secret=OTHER_SECRET), 401, "Invalid signature")
    assert_refused(
        send.post(body(), {**headers, TIMESTAMP: f"{NOW + 1:.0f}"}), 401, "Invalid signature"
    )


@pytest.mark.parametrize(
    "value", ["", "x", "sha256=", "é" * 32, "0" * 63, ("0" * 64).upper() + "A"]
)
def test_w3_w4_malformed_headers(send: Sender, value: str) -> None:
    """Never a 500: what is not ASCII cannot be compared in constant time."""
    headers = {**JSON, **signed(body(), at=NOW)}
    for name in (SIGNATURE, TIMESTAMP):
        response = send.post(body(), [*{**headers, name: value.encode()}.items()])

        assert_refused(response, 401, "Invalid signature")


@pytest.mark.parametrize("off", [-301, 301])
def test_w5_too_old_and_too_new(send: Sender, off: int) -> None:
    assert_refused(send(body(), at=NOW + off), 401, "Invalid signature")


@pytest.mark.parametrize("off", [-300, 300])
def test_w5_exactly_at_the_tolerance(deliver: Sender, off: int) -> None:
    assert deliver(body(), at=NOW + off).status_code == 200


def test_w6_duplicate_is_processed_once(deliver: Sender, clock: Clock, log: Log) -> None:
    """Sent as it was, and signed again later."""
    first = deliver(body())
    log.wait_for("webhook processed")
    again = deliver(body())
    clock.now += 100
    later = deliver(body())
    deliver(body("evt_2"))

    assert [response.status_code for response in (first, again, later)] == [200] * 3
    assert log.wait_for("webhook processed", 2) == [
        "webhook processed event_id=evt_1 event_type=user.updated",
        "webhook processed event_id=evt_2 event_type=user.updated",
    ]


@pytest.fixture
def small(start: Start, clock: Clock) -> Sender:
    """Return a sender to a service that takes a hundred bytes."""
    return Sender(start(WEBHOOK_MAX_BYTES="100"), clock)


def test_w7_too_large_as_declared(small: Sender) -> None:
    response = small(b" " * 101)

    assert_refused(response, 413, "Payload too large")
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize("length", [None, "1"])
def test_w7_too_large_as_it_comes(small: Sender, length: str | None) -> None:
    """Nothing is declared, or a lie is: counted while it is read."""

    def stream() -> Iterator[bytes]:
        yield from [b" " * 60] * 1000

    headers = {**JSON, **({"Content-Length": length} if length else {})}

    assert_refused(small.post(stream(), headers), 413, "Payload too large")


def test_w7_exactly_the_limit(small: Sender) -> None:
    assert small(body(event_type="new.type").ljust(100)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
        {"Content-Encoding": "identity, gzip"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "text/json+json"},
        {"Content-Type": ""},
    ],
    ids=str,
)
def test_w8_compressed_or_not_json(send: Sender, headers: dict[str, str]) -> None:
    response = send(gzip.compress(body()), headers={**JSON, **headers})

    assert_refused(response, 415, "Unsupported media type")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "Application/CloudEvents+JSON"},
        {**JSON, "Content-Encoding": "identity"},
    ],
    ids=str,
)
def test_w8_other_names_of_json(send: Sender, headers: dict[str, str]) -> None:
    assert send(body(event_type="new.type"), headers=headers).status_code == 200


NAME = 'evt_1", "type": "user.updated'
INVALID = {
    "not-utf-8": b'{"id": "\xff", "type": "user.updated"}',
    "utf-16": '{"id": "evt_1", "type": "user.updated"}'.encode("utf-16"),
    "nothing": b"",
    "not-json": b"id=evt_1",
    "not-a-number": b'{"id": "evt_1", "type": "user.updated", "data": NaN}',
    "infinite": b'{"id": "evt_1", "type": "user.updated", "data": 1e999}',
    "a-number-of-10000-digits": b'{"id": "evt_1", "data": ' + b"1" * 10_000 + b"}",
    "nested": b"[" * 100_000,
    "list": b"[]",
    "text": b'"evt_1"',
    "null": b"null",
    "no-id": b'{"type": "user.updated"}',
    "no-type": b'{"id": "evt_1"}',
    "id-is-null": b'{"id": null, "type": "user.updated"}',
    "id-is-a-number": b'{"id": 1, "type": "user.updated"}',
    "id-is-empty": b'{"id": "", "type": "user.updated"}',
    "id-is-blank": b'{"id": " ", "type": "user.updated"}',
    "id-of-257-characters": body("x" * 257),
    "id-with-a-line-break": b'{"id": "a\\nb", "type": "user.updated"}',
    "id-with-half-a-surrogate-pair": b'{"id": "\\ud800", "type": "user.updated"}',
    "id-with-a-control": b'{"id": "\\u0000", "type": "user.updated"}',
    "type-is-a-list": b'{"id": "evt_1", "type": ["user.updated"]}',
    "two-ids-that-differ": b'{"id": "a", "event_id": "b", "type": "user.updated"}',
    "two-ids-one-of-which-is-none": b'{"id": "a", "event_id": null, "type": "user.updated"}',
    "two-types-that-differ": b'{"id": "a", "type": "user.updated", "event_type": "user.deleted"}',
    "one-name-twice": b'{"id": "a", "id": "b", "type": "user.updated"}',
}


@pytest.mark.parametrize("content", INVALID.values(), ids=INVALID)
def test_w9_signed_but_not_an_event(send: Sender, content: bytes) -> None:
    assert_refused(send(content), 400, "Invalid payload")


def test_w9_the_longest_id(send: Sender) -> None:
    assert send(body("x" * 256, "new.type")).status_code == 200


def test_w9_unknown_type_is_ignored(send: Sender, log: Log) -> None:
    """The platform may add types any day. Nothing is stored for them."""
    answers = [send(body(event_id, "user.renamed")) for event_id in ("evt_1", "evt_1")]

    assert [answer.json() for answer in answers] == [{"received": True}] * 2
    assert (
        log.saying("webhook ignored")
        == ["webhook ignored event_id=evt_1 event_type=user.renamed"] * 2
    )


def test_w10_both_secrets_are_accepted(start: Start, clock: Clock) -> None:
    both = Sender(start(WEBHOOK_SECRETS=f"{OTHER_SECRET}, {SECRET}"), clock)
    overlap = [
        both(body(event_type="x"), secret=secret).status_code for secret in (OTHER_SECRET, SECRET)
    ]

    assert overlap == [200, 200]


def test_w10_removed_secret_is_refused(start: Start, clock: Clock) -> None:
    send = Sender(start(WEBHOOK_SECRETS=OTHER_SECRET), clock)

    assert send(body(event_type="x"), secret=OTHER_SECRET).status_code == 200
    assert_refused(send(body(event_type="x")), 401, "Invalid signature")


def test_size_is_checked_first(small: Sender) -> None:
    """Nothing is computed over a body that is too large."""
    response = small.post(b"x" * 101, {"Content-Encoding": "gzip"})

    assert_refused(response, 413, "Payload too large")


def test_signature_is_checked_before_the_json(send: Sender) -> None:
    """A sender that cannot sign learns nothing about the body."""
    assert_refused(send(b"no json", secret=OTHER_SECRET), 401, "Invalid signature")


def test_provider_is_not_called(
    start: Start, clock: Clock, provider: Provider, inbox_url: str
) -> None:
    provider.outage = True
    deliver = Sender(start(INBOX_DATABASE_URL=inbox_url), clock)
    before = provider.calls

    assert deliver(body()).status_code == 200
    assert provider.calls == before


@pytest.mark.anyio
async def test_w7_too_large_body_is_not_read() -> None:
    """Nothing is read of what is too large by its own account."""

    async def receive() -> Message:
        raise AssertionError

    scope = {"type": "http", "headers": [(b"content-length", b"11")]}
    with pytest.raises(DeliveryRefused, match="413"):
        await read_body(Request(scope, receive), max_bytes=10)


@pytest.mark.anyio
async def test_disconnected_sender() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(DeliveryRefused, match="400"):
        await read_body(Request({"type": "http", "headers": []}, receive), max_bytes=10)


def test_other_method(client: TestClient) -> None:
    assert client.get(PATH).status_code == 405


def test_refusal_is_logged_without_the_delivery(send: Sender, log: Log) -> None:
    """L1: the reason is a fixed word; neither signature nor body nor secret is shown."""
    send(b'{"secret": "hunter2"}', secret=OTHER_SECRET)
    send(b'{"secret": "hunter2"}')

    assert log.saying("webhook refused") == [
        "webhook refused status=401 reason=signature",
        "webhook refused status=400 reason=type",
    ]


def test_inbox_that_fails_is_a_503(
    deliver: Sender, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operators look for warnings; a refused sender is none."""
    monkeypatch.setattr("app.webhooks.inbox.MAX_PENDING", 0)
    response = deliver(body())
    deliver(body(), secret=OTHER_SECRET)
    levels = [record.levelname for record in log.records if "refused" in record.msg]

    assert_refused(response, 503, "Inbox unavailable")
    assert response.headers["retry-after"] == "5"
    assert levels == ["WARNING", "INFO"]


def test_openapi_describes_the_route(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"][PATH]["post"]

    assert "security" not in operation
    assert operation["responses"].keys() == {"200", "400", "401", "409", "413", "415", "503"}
    assert "application/json" in operation["requestBody"]["content"]
