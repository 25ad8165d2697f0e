"""What a delivery says: one event, in either of the two envelopes that are documented.

One has `id`, `type`, `timestamp` and `data`, the other `event_id`, `event_type`, `timestamp` and
`payload`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from app.auth.claims import finite
from app.webhook_errors import InvalidPayload

MAX_NAME_LENGTH = 256
"""Characters of an id, a type or a subject."""

_SUBJECT_KEYS = ("user_id", "userId", "sub", "subject", "identity_id")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at the platform."""

    id: str
    type: str
    contents: tuple[Mapping[str, object], ...]
    """What stands in `data` and `payload`."""
    happened_at: float | None
    """Seconds since 1970, as the event itself says."""


def parse_event(body: bytes) -> Event:
    """Return the event in `body`. Raises `InvalidPayload`."""
    try:
        document: object = json.loads(
            body.decode(),
            parse_constant=_no_number,
            parse_float=finite,
            object_pairs_hook=_each_name_once,
        )
    # An integer of thousands of digits is a ValueError, deep nesting a RecursionError.
    except (ValueError, RecursionError):
        raise InvalidPayload("json") from None
    if not isinstance(document, dict):
        raise InvalidPayload("object")
    return Event(
        id=_name(document, "id", "event_id"),
        type=_name(document, "type", "event_type"),
        contents=tuple(
            content
            for content in (document.get("data"), document.get("payload"))
            if isinstance(content, dict)
        ),
        happened_at=_seconds(document.get("timestamp")),
    )


def subject_of(event: Event) -> str | None:
    """Return whom `event` is about, from the first of these places, `None` where it is in none.

    In `data`, then in `payload`: `user_id`, `userId`, `sub`, `subject`, `identity_id`, `user.id`,
    and `id` where the event is one of a user.
    """
    places = [place for content in event.contents for place in _subjects(event.type, content)]
    return next((str(place) for place in places if is_name(place)), None)


def time_of(event: Event, sent_at: float, now: float) -> float:
    """Return when `event` happened, in seconds since 1970 as all three arguments are.

    It says so itself, else it is when it was sent; and nothing has happened in the future.
    """
    return min(sent_at if event.happened_at is None else event.happened_at, now)


def is_name(value: object) -> bool:
    """Tell whether `value` can be the id or the type of an event, or a subject."""
    return (
        isinstance(value, str)
        and len(value) <= MAX_NAME_LENGTH
        and value.isprintable()
        and not value.isspace()
        and value != ""
    )


def _subjects(kind: str, content: Mapping[str, object]) -> Iterator[object]:
    yield from (content.get(key) for key in _SUBJECT_KEYS)
    user = content.get("user")
    if isinstance(user, dict):
        yield user.get("id")
    if kind.startswith("user."):
        yield content.get("id")


def _name(document: Mapping[str, object], *keys: str) -> str:
    """Return what all of `keys` that are there say, which has to be one thing."""
    values = [document[key] for key in keys if key in document]
    name, *others = values or [None]
    if not is_name(name) or any(other != name for other in others):
        raise InvalidPayload(keys[0])
    return str(name)


def _seconds(timestamp: object) -> float | None:
    """Return a time as RFC 3339 writes it in seconds since 1970, `None` for anything else."""
    if not isinstance(timestamp, str):
        return None
    try:
        moment = datetime.fromisoformat(timestamp)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _each_name_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Which of two counts is different from one reader to the next.
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("two of a name")
    return document


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
