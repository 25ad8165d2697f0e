"""What happens to a stored event: its handler is called until it succeeds, or the event is dead."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from app.events import parse_event, subject_of, time_of
from app.handlers import Handler, TryAgain

logger = logging.getLogger("app.processing")

PAUSES = (1.0, 4.0, 16.0)
"""Seconds between the attempts of one event."""
PATIENT_PAUSE = 5.0
"""Seconds between the attempts of an event that is tried again until it succeeds."""
HANDLER_TIMEOUT = 30.0
"""Seconds that a handler may take for an event."""
MAX_STARTS = 10
"""How often an event is begun that ends the process each time, before it is dead."""
MAX_HANDLERS = 16
"""How many events of a type are handled at a time: a burst must not take all of the service, and
those of one type do not hold up the others."""


class EventFailed(Exception):
    """The event is a dead letter. The text is a fixed word, or the name of what was raised."""


class Processing:
    """Calls the handlers of events. One for the life of the service."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        clock: Callable[[], float] = time.time,
        *,
        pauses: Sequence[float] = PAUSES,
        patient_pause: float = PATIENT_PAUSE,
        timeout: float = HANDLER_TIMEOUT,
    ) -> None:
        self._handlers = handlers
        self._clock = clock
        self._pauses = pauses
        self._patient_pause = patient_pause
        self._timeout = timeout
        self._rooms = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(MAX_HANDLERS))

    def knows(self, kind: str) -> bool:
        """Tell whether there is a handler for events of a type."""
        return kind in self._handlers

    async def process(self, body: bytes, sent_at: float, starts: int = 1) -> None:
        """Have the event in `body` handled and log it. Raises `EventFailed` when it is dead.

        `sent_at` is in seconds since 1970. `starts` is how often it was begun, this time included:
        more than once after a crash.
        """
        event = parse_event(body)
        try:
            if starts > MAX_STARTS:
                raise EventFailed("starts")
            subject = subject_of(event)
            if subject is None:
                raise EventFailed("no_subject")
            handle = self._handlers[event.type]
            at = time_of(event, sent_at, self._clock())
            await self._attempts(lambda: handle(event, subject, at), event.id, event.type)
        except EventFailed as failure:
            logger.error(
                "webhook dead event_id=%s event_type=%s reason=%s", event.id, event.type, failure
            )
            raise
        extra: dict[str, object] = {"event_id": event.id, "event_type": event.type}
        words = "webhook processed event_id=%s event_type=%s"
        if starts > 1:
            words, extra["repeated"] = words + " repeated=true", True
        logger.info(words, event.id, event.type, extra=extra)

    async def _attempts(
        self, handle: Callable[[], Awaitable[None]], event_id: str, kind: str
    ) -> None:
        pauses = iter(self._pauses)
        pause: float | None
        while True:
            try:
                async with self._rooms[kind], asyncio.timeout(self._timeout):
                    await handle()
                return
            except TryAgain:
                reason, pause = "unfinished", self._patient_pause
            # Whatever it is, its text may hold something of the event and stays here.
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
                check_goes_on(error)
                reason, pause = type(error).__name__, next(pauses, None)
            if pause is None:
                raise EventFailed(reason)
            logger.warning(
                "webhook not processed yet event_id=%s event_type=%s reason=%s",
                event_id,
                kind,
                reason,
            )
            await asyncio.sleep(pause)


def check_goes_on(error: BaseException) -> None:
    """Raise `error` again where it ends this task, and not something that a handler waited for."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error
