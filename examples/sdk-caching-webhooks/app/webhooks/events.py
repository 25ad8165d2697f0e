"""What a delivery says, in either of the two documented envelopes, and what handles its event."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeGuard

from fastapi import HTTPException
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.claims import MalformedClaims, parse_object
from app.auth.errors import Refusal

REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "Invalid payload"},
    401: {"model": Refusal, "description": "Invalid signature"},
    409: {"model": Refusal, "description": "Event id already used"},
    413: {"model": Refusal, "description": "Payload too large"},
    415: {"model": Refusal, "description": "Unsupported media type"},
    503: {"model": Refusal, "description": "Inbox unavailable"},
}
"""What a sender may see, and what the OpenAPI document says about it."""
SUBJECT_KEYS = ("user_id", "userId", "sub", "subject", "identity_id")


class DeliveryRefused(HTTPException):
    """A delivery that is not stored. `reason` is a fixed word for the log."""

    def __init__(self, status: int, reason: str) -> None:
        headers = {"Retry-After": "5"} if status == 503 else None
        super().__init__(status, REFUSALS[status]["description"], headers)
        self.reason = reason


class Event(NamedTuple):
    """Something that happened at the platform. Times are in seconds since 1970."""

    id: str
    type: str
    subject: str | None  # the user that the event is about
    occurred_at: float
    data: Mapping[str, object]  # the object in `data`, else in `payload`
    body: str  # the delivery as it was sent
    sent_at: float


class Handler(NamedTuple):
    """What is done with each event of a type, in the transaction that marks it as done."""

    run: Callable[[Event, AsyncConnection], Awaitable[None]]
    needs_subject: bool = True  # then an event without one is a dead letter


class TryAgain(Exception):
    """Raised by a handler to be called again until it succeeds, however long that takes."""


def parse_event(body: bytes, sent_at: float, now: float) -> Event:
    """Return the event in `body`. Raises `DeliveryRefused`.

    It occurred at its own `timestamp`, else at `sent_at`, never after `now` (seconds since 1970).
    """
    try:
        document = parse_object(body)
    except MalformedClaims:
        raise DeliveryRefused(400, "json") from None
    event_type = _name(document, "type", "event_type")
    values = (document.get("data"), document.get("payload"))
    contents = [value for value in values if isinstance(value, dict)]
    return Event(
        id=_name(document, "id", "event_id"),
        type=event_type,
        subject=subject_of(event_type, contents),
        occurred_at=min(_seconds(document.get("timestamp"), sent_at), now),
        data=contents[0] if contents else {},
        body=body.decode(),
        sent_at=sent_at,
    )


def subject_of(event_type: str, contents: Sequence[Mapping[str, object]]) -> str | None:
    """Return the user that an event is about: the first name in `data`, then in `payload`.

    It is under one of `SUBJECT_KEYS`, `user.id` or, if the type starts with `user.`, `id`.
    """
    for content in contents:
        user = content.get("user")
        places = [content.get(key) for key in SUBJECT_KEYS]
        places.append(user.get("id") if isinstance(user, dict) else None)
        places.append(content.get("id") if event_type.startswith("user.") else None)
        if names := [place for place in places if is_name(place)]:
            return names[0]
    return None


def is_name(value: object) -> TypeGuard[str]:
    """Tell whether `value` can be an id, a type or a subject: 1 to 256 printable characters."""
    if not isinstance(value, str) or len(value) > 256:
        return False
    return value.isprintable() and value.strip() != ""


def _name(document: Mapping[str, object], *keys: str) -> str:
    """Return the name under `keys`. If several of them are there, they must agree."""
    values = [document[key] for key in keys if key in document]
    if not values or not is_name(values[0]) or any(value != values[0] for value in values):
        raise DeliveryRefused(400, keys[0])
    return values[0]


def _seconds(timestamp: object, default: float) -> float:
    """Return an RFC 3339 time in seconds since 1970, `default` for anything else."""
    try:
        moment = datetime.fromisoformat(str(timestamp))
        return moment.timestamp() if moment.tzinfo else default
    except (ValueError, OverflowError):
        return default
