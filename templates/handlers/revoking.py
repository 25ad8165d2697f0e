"""What happens with each type of event: the place to add what your service does about one.

A handler is called after the sender has its answer, and may be called again with the same event:
after a failure, and after a crash of the service. So it has to come to the same result both times.
It must not undo what a newer event about the same subject did: compare `at`.
"""

import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping

from app.auth.answers import StoreUnavailable
from app.auth.revocations import Revocations
from app.events import Event, parse_event, subject_of, time_of
from app.inbox_events import StoredEvent
from app.users import Users
from app.webhook_errors import InvalidPayload

logger = logging.getLogger("app.handlers")


class TryAgain(Exception):
    """What a handler raises to be called again until it succeeds, however long that takes."""


Handler = Callable[[Event, str, float], Awaitable[None]]
"""Takes an event, whom it is about, and when it happened, in seconds since 1970."""


REVOKING = frozenset({"user.deleted", "user.disabled", "session.revoked"})
"""After these, no token that the subject has is good any more. No answer about a token names a
session, so the end of one ends them all."""


def handlers(users: Users, revocations: Revocations) -> Mapping[str, Handler]:
    """Return the handler of each type of event. Other types are acknowledged and counted."""

    async def user_changed(event: Event, subject: str, at: float) -> None:
        if not users.apply(subject, event, at):
            logger.info("older event left out event_id=%s event_type=%s", event.id, event.type)

    async def session_revoked(event: Event, subject: str, at: float) -> None:
        try:
            await revocations.revoke_subject(subject, at)
        except StoreUnavailable:
            # It counts here; the others have to know it too, however long that takes.
            raise TryAgain from None

    async def user_gone(event: Event, subject: str, at: float) -> None:
        # First what protects: the rest may fail.
        await session_revoked(event, subject, at)
        await user_changed(event, subject, at)

    return {
        "user.created": user_changed,
        "user.updated": user_changed,
        "user.deleted": user_gone,
        "user.disabled": user_gone,
        "session.revoked": session_revoked,
    }


async def restore(events: AsyncIterable[StoredEvent], revocations: Revocations, now: float) -> None:
    """Mark again whom events of the inbox revoked, whatever became of the events.

    `now` in seconds since 1970.
    """
    async for stored in events:
        if stored.body is None or stored.sent_at is None:
            continue
        try:
            event = parse_event(stored.body.encode())
        except InvalidPayload:
            # It was good when it came, to a release that asked for less.
            logger.error("event of the inbox not read event_id=%s", stored.id)
            continue
        subject = subject_of(event)
        if subject is not None:
            # What says that it happens later than it came does not do so now either.
            came_at = min(max(stored.received_at, stored.sent_at), now)
            revocations.restore(subject, time_of(event, stored.sent_at, came_at))
