"""What happens with each type of event: the place to add what your service does about one.

A handler is called after the sender has its answer, and may be called again with the same event:
after a failure, and after a crash of the service. So it has to come to the same result both times.
It must not undo what a newer event about the same subject did: compare `at`.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping

from app.events import Event
from app.users import Users

logger = logging.getLogger("app.handlers")


class TryAgain(Exception):
    """What a handler raises to be called again until it succeeds, however long that takes."""


Handler = Callable[[Event, str, float], Awaitable[None]]
"""Takes an event, whom it is about, and when it happened, in seconds since 1970."""


def handlers(users: Users) -> Mapping[str, Handler]:
    """Return the handler of each type of event. Other types are acknowledged and counted."""

    async def user_changed(event: Event, subject: str, at: float) -> None:
        if not users.apply(subject, event, at):
            logger.info("older event left out event_id=%s event_type=%s", event.id, event.type)

    async def noted(event: Event, subject: str, at: float) -> None:
        """Do nothing: the record of every processed event is enough."""

    return {
        "user.created": user_changed,
        "user.updated": user_changed,
        "user.deleted": user_changed,
        "user.disabled": user_changed,
        "session.revoked": noted,
    }
