"""Events that say little, or the same thing in several places."""

import json

import pytest

from app.webhooks.events import parse_event

MOMENT = 1_712_577_600.0
CONTENTS: dict[str, tuple[object, str | None]] = {
    "texts of other types": ({"user": {"id": ["anna"]}, "user_id": 7, "sub": None}, None),
    "blank": ({"user_id": " ", "id": ""}, None),
    "user that is a name": ({"user": "anna"}, None),
    "256 characters": ({"sub": "x" * 256}, "x" * 256),
    "user_id before others": ({"sub": "b", "userId": "c", "user_id": "anna"}, "anna"),
    "user.id before id": ({"id": "b", "user": {"id": "anna"}}, "anna"),
    "null": (None, None),
    "list": ([{"sub": "anna"}], None),
}


@pytest.mark.parametrize(("content", "subject"), CONTENTS.values(), ids=CONTENTS)
def test_subject(content: object, subject: str | None) -> None:
    document = {"id": "evt_1", "type": "user.deleted", "data": content}
    event = parse_event(json.dumps(document).encode(), MOMENT, MOMENT)

    assert event.subject == subject
    assert event.data == (content if isinstance(content, dict) else {})


def test_payload_has_what_data_lacks() -> None:
    document = {"id": "1", "type": "x", "data": {"a": 1}, "payload": {"sub": "anna"}}
    event = parse_event(json.dumps(document).encode(), MOMENT, MOMENT)

    assert (event.subject, event.data) == ("anna", {"a": 1})


@pytest.mark.parametrize("timestamp", ["", "2024-04-07", [], True])
def test_unusable_timestamp(timestamp: object) -> None:
    """A time without a zone could be any of a day's."""
    document = {"id": "1", "type": "x", "timestamp": timestamp}

    assert parse_event(json.dumps(document).encode(), MOMENT, MOMENT).occurred_at == MOMENT
