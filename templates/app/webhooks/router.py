"""Where the platform delivers its events.

Checks come in the order of their cost: size, headers, signature, JSON. Then the event is stored.
"""

import logging
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from app.body_limit import declared_length
from app.settings import WebhookSettings
from app.webhooks.errors import RESPONSES, DeliveryRefused
from app.webhooks.events import parse_event
from app.webhooks.inbox import Inbox
from app.webhooks.signature import PATH, check_delivery

logger = logging.getLogger("app.webhooks")
router = APIRouter(tags=["webhooks"])

# The route reads the raw body, over which the signature is made, so FastAPI cannot describe it.
OBJECT = {"type": "object"}
JSON = {"schema": OBJECT}
CONTENT = {"application/json": JSON}
BODY = {"content": CONTENT}


@dataclass(frozen=True, slots=True)
class Receiver:
    """What the route needs. `types` of events are stored, `clock` gives seconds since 1970."""

    settings: WebhookSettings
    inbox: Inbox
    types: Collection[str]
    clock: Callable[[], float]


class Received(BaseModel):
    """The event is stored, or has no handler."""

    received: bool = True


@router.post(PATH, responses=RESPONSES, openapi_extra={"requestBody": BODY})
async def receive(request: Request) -> Received:
    """Accept an event. Its handler runs after the answer."""
    try:
        await store(request, request.state.receiver)
    except DeliveryRefused as refusal:
        level = logging.WARNING if refusal.status_code == 503 else logging.INFO
        words = "webhook refused status=%d reason=%s"
        logger.log(level, words, refusal.status_code, refusal.reason)
        raise
    return Received()


async def store(request: Request, receiver: Receiver) -> None:
    """Check a delivery and store its event. Raises `DeliveryRefused`."""
    body = await read_body(request, receiver.settings.webhook_max_bytes)
    check_media_type(request.headers)
    now = receiver.clock()
    sent_at = check_delivery(request.headers, body, receiver.settings, now)
    event = parse_event(body, sent_at, now)
    if event.type in receiver.types:
        await receiver.inbox.accept(event)
    else:
        logger.info("webhook ignored event_id=%s event_type=%s", event.id, event.type)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body. Refuse one of more than `max_bytes` without reading it as a whole."""
    if declared_length(request.scope) > max_bytes:
        raise DeliveryRefused(413, "declared")
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > max_bytes:
                raise DeliveryRefused(413, "streamed")
    except ClientDisconnect:
        raise DeliveryRefused(400, "disconnected") from None
    return bytes(body)


def check_media_type(headers: Headers) -> None:
    """Refuse a compressed body, whose real size is unknown, and one that is not JSON."""
    encodings = headers.getlist("content-encoding")
    if any(encoding.strip().lower() not in ("", "identity") for encoding in encodings):
        raise DeliveryRefused(415, "content_encoding")
    for value in headers.getlist("content-type"):
        media_type = value.partition(";")[0].strip().lower()
        if not re.fullmatch(r"application/(json|[^/]+\+json)", media_type):
            raise DeliveryRefused(415, "content_type")
