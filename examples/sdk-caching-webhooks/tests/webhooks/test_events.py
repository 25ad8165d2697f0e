"""What is read from an event: its subject, its data, and when it occurred."""

import json

import pytest

from app.webhooks.events import Event, parse_event

MOMENT = 1_712_577_600.0
SUBJECTS: dict[str, tuple[str, object, str | None]] = {
    "user_id": ("session.revoked", {"user_id": "anna"}, "anna"),
    "userId": ("session.revoked", {"userId": "anna"}, "anna"),
    "sub": ("session.revoked", {"sub": "anna"}, "anna"),
    "subject": ("session.revoked", {"subject": "anna"}, "anna"),
    "identity_id": ("session.revoked", {"identity_id": "anna"}, "anna"),
    "id of user": ("session.revoked", {"user": {"id": "anna"}, "id": "session_1"}, "anna"),
    "id, in an event about a user": ("user.deleted", {"id": "anna"}, "anna"),
    "id, in another event": ("session.revoked", {"id": "session_1"}, None),
    "the first of them": ("user.deleted", {"id": "x", "user": {"id": "y"}, "sub": "anna"}, "anna"),
    "the first that is a name": ("user.deleted", {"user_id": "", "userId": 7, "id": "a"}, "a"),
    "none": ("user.deleted", {}, None),
    "too long": ("user.deleted", {"user_id": "x" * 257}, None),
    "two lines": ("user.deleted", {"user_id": "an\nna"}, None),
    "no object": ("user.deleted", "anna", None),
}
MOMENTS: dict[object, float] = {
    "2024-04-08T12:00:00Z": MOMENT,
    "2024-04-08T14:00:00+02:00": MOMENT,
    "2024-04-08T11:59:59.5Z": MOMENT - 0.5,
    "2099-01-01T00:00:00Z": MOMENT + 10,  # never later than now
    "2024-04-07T12:00:00": MOMENT,  # without a zone: when it was sent
    "yesterday": MOMENT,
    1_712_577_500: MOMENT,
    None: MOMENT,
}


def event(event_type: str = "user.updated", **document: object) -> Event:
    """Return an event that was sent at `MOMENT` and is read ten seconds later."""
    body = json.dumps({"id": "evt_1", "type": event_type, **document}).encode()
    return parse_event(body, MOMENT, MOMENT + 10)


@pytest.mark.parametrize("envelope", ["data", "payload"])
@pytest.mark.parametrize(("event_type", "content", "subject"), SUBJECTS.values(), ids=SUBJECTS)
def test_subject(event_type: str, content: object, subject: str | None, envelope: str) -> None:
    assert event(event_type, **{envelope: content}).subject == subject


def test_data_comes_before_payload() -> None:
    both = event(data={"sub": "anna"}, payload={"sub": "bert"})

    assert (both.subject, both.data) == ("anna", {"sub": "anna"})


@pytest.mark.parametrize(("timestamp", "moment"), MOMENTS.items())
def test_time(timestamp: object, moment: float) -> None:
    """Its own `timestamp`, else the time of sending, and never later than now."""
    assert event(timestamp=timestamp).occurred_at == moment


def test_time_of_sending_is_never_later_than_now() -> None:
    body = b'{"id": "evt_1", "type": "user.updated"}'

    assert parse_event(body, MOMENT + 300, MOMENT).occurred_at == MOMENT
