"""How an event stands in the inbox."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dbos import WorkflowStatus

State = Literal["waiting", "processed", "dead"]

STATES: Mapping[State, list[str]] = {
    "waiting": ["PENDING", "ENQUEUED", "DELAYED"],
    "processed": ["SUCCESS"],
    "dead": ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED"],
}
"""What the states of an event are called in the database."""

TYPE = "event_type"
"""The attribute that says what an event is, without its body being read."""
BEGUN = "begun"
"""The attribute that says how often processes began it that are gone."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event in the inbox. Times are in seconds since 1970."""

    id: str
    type: str
    state: State
    received_at: float
    finished_at: float | None
    attempts: int
    """How often it was begun; more than once after a crash."""
    reason: str | None
    """Why it is dead."""
    body: str | None
    """The delivery as it came, where it was asked for."""
    sent_at: float | None


def stored(row: WorkflowStatus) -> StoredEvent:
    """Return the event in a row of the inbox."""
    arguments = row.input["args"] if row.input else (None, None)
    attributes = row.attributes or {}
    reason = None
    if row.status == "ERROR":
        reason = str(row.error)
    elif row.status in STATES["dead"]:
        reason = row.status.lower()
    return StoredEvent(
        id=row.workflow_id,
        type=str(attributes.get(TYPE)),
        state=next(state for state, names in STATES.items() if row.status in names),
        received_at=(row.created_at or 0) / 1000,
        finished_at=None if row.completed_at is None else row.completed_at / 1000,
        attempts=(row.recovery_attempts or 0) + int(attributes.get(BEGUN, 0)),
        reason=reason,
        body=arguments[0],
        sent_at=arguments[1],
    )


def as_json(event: StoredEvent) -> dict[str, object]:
    """Return `event` as the commands print it, its body as the document that it is."""
    return {
        "id": event.id,
        "type": event.type,
        "state": event.state,
        "received_at": event.received_at,
        "finished_at": event.finished_at,
        "attempts": event.attempts,
        "reason": event.reason,
        "sent_at": event.sent_at,
        "body": None if event.body is None else json.loads(event.body),
    }
