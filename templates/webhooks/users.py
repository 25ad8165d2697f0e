"""What this service knows about the platform's users: an example of what events are good for.

It is kept in memory, so it is empty again after a restart. Keep yours in a database, together with
the time of the event that a row comes from.
"""

from collections import OrderedDict

from app.events import Event

MAX_USERS = 10_000


class Users:
    """The users that events told of, the ones that changed last."""

    def __init__(self, max_users: int = MAX_USERS) -> None:
        self._max_users = max_users
        self._events: OrderedDict[str, tuple[float, Event]] = OrderedDict()

    def apply(self, subject: str, event: Event, at: float) -> bool:
        """Take over what `event` says, unless a newer one was there before. Tell whether it was.

        `at` is when it happened, in seconds since 1970. The platform keeps no order, and an event
        that had to be sent again comes after those that it should have come before.
        """
        if subject in self._events and at < self._events[subject][0]:
            return False
        self._events[subject] = (at, event)
        self._events.move_to_end(subject)
        if len(self._events) > self._max_users:
            self._events.popitem(last=False)
        return True

    def last_event(self, subject: str) -> Event | None:
        """Return the newest event about a user, `None` for one that no event told of."""
        return self._events[subject][1] if subject in self._events else None
