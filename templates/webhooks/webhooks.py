"""What happens to a delivery before it is answered: verified, read, stored. Nobody else is asked.

Each step is cheap for those that send nonsense, and none of them comes before what protects it:
size, headers, signature, JSON, inbox.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from app.auth.errors import AuthError
from app.deliveries import Authenticity, WebhookSettings
from app.events import Event, parse_event
from app.limits import declared_length
from app.webhook_errors import (
    InboxUnavailable,
    InvalidPayload,
    PayloadTooLarge,
    UnsupportedMediaType,
)

logger = logging.getLogger("app.webhooks")

MAX_COUNTED_TYPES = 1000
"""How many unknown types of events are counted one by one."""


class Inbox(Protocol):
    """Where events go that have to be processed."""

    def knows(self, kind: str) -> bool:
        """Tell whether anything happens with events of a type."""

    async def put(self, event: Event, body: bytes, sent_at: float) -> None:
        """Store an event for good, or raise `InboxUnavailable`. Known ids are no news."""


class Receiver:
    """Takes deliveries. One for the life of the service."""

    def __init__(
        self,
        settings: WebhookSettings,
        inbox: Inbox,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._max_bytes = settings.max_bytes
        self._authenticity = Authenticity(settings)
        self._inbox = inbox
        self._clock = clock
        self.ignored: Counter[str] = Counter()
        """How many events of each unknown type came since the start."""

    async def receive(self, request: Request) -> None:
        """Take a delivery, or raise the refusal that becomes its answer."""
        try:
            await self._receive(request)
        except AuthError as refusal:
            level = logging.WARNING if isinstance(refusal, InboxUnavailable) else logging.INFO
            logger.log(level, "webhook refused status=%d reason=%s", refusal.status, refusal.reason)
            raise

    async def _receive(self, request: Request) -> None:
        body = await read_body(request, self._max_bytes)
        check_media_type(request.headers)
        sent_at = self._authenticity.check(request.headers, body, self._clock())
        event = parse_event(body)
        if self._inbox.knows(event.type):
            await self._inbox.put(event, body, sent_at)
        else:
            self._ignore(event)

    def _ignore(self, event: Event) -> None:
        """Count an event that nothing is to be done about. The platform may add types any day."""
        known = event.type in self.ignored or len(self.ignored) < MAX_COUNTED_TYPES
        kind = event.type if known else "other"
        self.ignored[kind] += 1
        logger.info(
            "webhook ignored event_id=%s event_type=%s count=%d",
            event.id,
            event.type,
            self.ignored[kind],
        )


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of `request`. Raises `PayloadTooLarge` before more than that is kept."""
    if declared_length(request.scope) > max_bytes:
        raise PayloadTooLarge("declared")
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > max_bytes:
                raise PayloadTooLarge("streamed")
    except ClientDisconnect:
        # Nobody reads the answer.
        raise InvalidPayload("disconnected") from None
    return bytes(body)


def check_media_type(headers: Headers) -> None:
    """Refuse what is compressed, as no limit holds for it, and what says that it is not JSON."""
    encodings = [coding.strip().lower() for coding in headers.getlist("content-encoding")]
    if any(coding not in ("", "identity") for coding in encodings):
        raise UnsupportedMediaType("content_encoding")
    for value in headers.getlist("content-type"):
        kind = value.partition(";")[0].strip().lower()
        if kind != "application/json" and not (
            kind.startswith("application/") and kind.endswith("+json")
        ):
            raise UnsupportedMediaType("content_type")
