"""What is read from an event: whom it is about and when it happened."""

import json

import pytest

from app.events import Event, parse_event, subject_of, time_of
from app.users import Users

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


def event(kind: str = "user.updated", **document: object) -> Event:
    """Return an event as it is read."""
    return parse_event(json.dumps({"id": "evt_1", "type": kind, **document}).encode())


@pytest.mark.parametrize("envelope", ["data", "payload"])
@pytest.mark.parametrize(("kind", "content"), SUBJECTS.values(), ids=SUBJECTS)
def test_whom_an_event_is_about(kind: str, content: dict[str, object], envelope: str) -> None:
    assert subject_of(event(kind, **{envelope: content})) == "anna"


@pytest.mark.parametrize(("kind", "content"), NO_SUBJECTS.values(), ids=NO_SUBJECTS)
def test_nobody_is_better_than_somebody_else(kind: str, content: dict[str, object]) -> None:
    assert subject_of(event(kind, data=content)) is None


def test_data_comes_before_payload() -> None:
    both = event(data={"sub": "anna"}, payload={"sub": "bert"})

    assert subject_of(both) == "anna"


@pytest.mark.parametrize("data", [None, [], "anna", 7])
def test_what_is_no_object_says_nothing(data: object) -> None:
    assert subject_of(event(data=data)) is None


MOMENT = 1_712_577_600.0
MOMENTS = {
    "2024-04-08T12:00:00Z": MOMENT,
    "2024-04-08T14:00:00+02:00": MOMENT,
    "2024-04-08T12:00:00.5Z": MOMENT + 0.5,
}


@pytest.mark.parametrize(("text", "moment"), MOMENTS.items())
def test_an_event_says_when_it_happened(text: str, moment: float) -> None:
    assert time_of(event(timestamp=text), sent_at=MOMENT + 9, now=MOMENT + 10) == moment


NO_MOMENTS: list[object] = [None, "", "yesterday", "2024-04-07T12:00:00", 1_712_577_600, []]


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_else_it_happened_when_it_was_sent(text: object) -> None:
    """A time without a zone could be any of a day's."""
    assert time_of(event(timestamp=text), sent_at=MOMENT, now=MOMENT + 10) == MOMENT


def test_nothing_happens_in_the_future() -> None:
    """Else what it says about a subject would hold for what comes after it."""
    assert time_of(event(timestamp="2099-01-01T00:00:00Z"), sent_at=1, now=MOMENT) == MOMENT
    assert time_of(event(), sent_at=MOMENT + 300, now=MOMENT) == MOMENT


def test_an_older_event_does_not_undo_a_newer_one() -> None:
    users = Users()
    newer, older = event("user.deleted"), event("user.updated")

    assert users.apply("anna", newer, at=2)
    assert not users.apply("anna", older, at=1)
    assert users.last_event("anna") is newer


def test_the_order_is_one_of_each_subject() -> None:
    users = Users()
    users.apply("anna", event(), at=2)

    assert users.apply("bert", event(), at=1)
    assert users.last_event("cleo") is None


def test_an_event_may_be_applied_again() -> None:
    users = Users()

    assert [users.apply("anna", event(), at=1) for _ in range(2)] == [True, True]


def test_the_number_of_users_is_capped() -> None:
    users = Users(max_users=2)
    for number, subject in enumerate(["anna", "bert", "anna", "cleo"]):
        users.apply(subject, event(), at=number)

    assert users.last_event("bert") is None
    assert users.last_event("anna") is not None
