"""What is read from an event: its subject and when it occurred."""

import json

import pytest

from app.webhooks.events import Event, parse_event

SUBJECTS = {
    "user_id": ("user.deleted", {"user_id": "anna"}),
    "userId": ("user.deleted", {"userId": "anna"}),
    "sub": ("session.revoked", {"sub": "anna"}),
    "subject": ("session.revoked", {"subject": "anna"}),
    "identity_id": ("session.revoked", {"identity_id": "anna"}),
    "user.id": ("session.revoked", {"user": {"id": "anna"}, "id": "session_1"}),
    "id-of-a-user-event": ("user.deleted", {"id": "anna"}),
    "the-first-of-them": ("user.deleted", {"id": "bert", "user": {"id": "cleo"}, "sub": "anna"}),
    "the-first-that-is-one": ("user.deleted", {"user_id": "", "userId": 7, "sub": "anna"}),
}
NO_SUBJECTS = {
    "nothing": ("user.deleted", {}),
    "id-of-a-session": ("session.revoked", {"id": "session_1"}),
    "no-text": ("user.deleted", {"user": {"id": ["anna"]}, "user_id": 7, "sub": None}),
    "blank": ("user.deleted", {"user_id": " ", "id": ""}),
    "too-long": ("user.deleted", {"user_id": "x" * 257}),
    "two-lines": ("user.deleted", {"user_id": "an\nna"}),
    "user-is-a-name": ("session.revoked", {"user": "anna"}),
}


MOMENT = 1_712_577_600.0


def event(event_type: str = "user.updated", **document: object) -> Event:
    """Return an event that was sent at `MOMENT` and is read ten seconds later."""
    body = json.dumps({"id": "evt_1", "type": event_type, **document}).encode()
    return parse_event(body, MOMENT, MOMENT + 10)


@pytest.mark.parametrize("envelope", ["data", "payload"])
@pytest.mark.parametrize(("event_type", "content"), SUBJECTS.values(), ids=SUBJECTS)
def test_subject(event_type: str, content: dict[str, object], envelope: str) -> None:
    assert event(event_type, **{envelope: content}).subject == "anna"


@pytest.mark.parametrize(("event_type", "content"), NO_SUBJECTS.values(), ids=NO_SUBJECTS)
def test_no_subject(event_type: str, content: dict[str, object]) -> None:
    assert event(event_type, data=content).subject is None


def test_data_comes_before_payload() -> None:
    both = event(data={"sub": "anna"}, payload={"sub": "bert"})

    assert (both.subject, both.data) == ("anna", {"sub": "anna"})


@pytest.mark.parametrize("data", [None, [], "anna", 7])
def test_data_that_is_no_object(data: object) -> None:
    assert (event(data=data).subject, event(data=data).data) == (None, {})


MOMENTS = {
    "2024-04-08T12:00:00Z": MOMENT,
    "2024-04-08T14:00:00+02:00": MOMENT,
    "2024-04-08T11:59:59.5Z": MOMENT - 0.5,
    "2099-01-01T00:00:00Z": MOMENT + 10,
}


@pytest.mark.parametrize(("text", "moment"), MOMENTS.items())
def test_own_timestamp_counts_but_never_the_future(text: str, moment: float) -> None:
    assert event(timestamp=text).occurred_at == moment


NO_MOMENTS: list[object] = [None, "", "yesterday", "2024-04-07T12:00:00", 1_712_577_600, []]


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_time_of_sending_counts_otherwise(text: object) -> None:
    """A time without a zone could be any of a day's."""
    assert event(timestamp=text).occurred_at == MOMENT


def test_time_of_sending_is_never_in_the_future() -> None:
    body = b'{"id": "evt_1", "type": "user.updated"}'

    assert parse_event(body, MOMENT + 300, MOMENT).occurred_at == MOMENT
