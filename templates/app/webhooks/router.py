"""Where the platform delivers its events.

Checks come in the order of their cost: size, headers, signature, JSON. Then the event is stored.
"""

import logging
import re
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import Counter
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from app.auth.errors import Refusal
from app.settings import WebhookSettings
from app.webhooks.events import DETAILS, DeliveryRefused, parse_event
from app.webhooks.signature import PATH, check_delivery

logger = logging.getLogger("app.webhooks")
router = APIRouter(tags=["webhooks"])
DELIVERIES = Counter("webhook_deliveries", "Deliveries of events", ["outcome"])

# The route reads the raw body, over which the signature is made, so FastAPI cannot describe it.
JSON: dict[str, object] = {}
CONTENT = {"application/json": JSON}
BODY = {"content": CONTENT}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": detail} for status, detail in DETAILS.items()
}


@router.post(PATH, responses=RESPONSES, openapi_extra={"requestBody": BODY})
async def receive(request: Request) -> dict[str, bool]:
    """Accept an event. Its handler runs after the answer."""
    settings: WebhookSettings = request.state.settings
    try:
        body = await read_body(request, settings.webhook_max_bytes)
        check_media_type(request.headers)
        now = request.state.clock()
        sent_at = check_delivery(request.headers, body, settings, now)
        row = await request.state.accept(parse_event(body, sent_at, now))
        DELIVERIES.labels("ignored" if row is None else "stored").inc()
    except DeliveryRefused as refusal:
        DELIVERIES.labels(refusal.status_code).inc()
        level = logging.WARNING if refusal.status_code == 503 else logging.INFO
        words = "webhook refused status=%d reason=%s"
        logger.log(level, words, refusal.status_code, refusal.reason)
        raise
    return {"received": True}


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body. Refuse one of more than `max_bytes` without reading it as a whole."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > max_bytes:
                raise DeliveryRefused(413, "size")
    except ClientDisconnect:
        raise DeliveryRefused(400, "disconnected") from None
    return bytes(body)


def check_media_type(headers: Headers) -> None:
    """Refuse a compressed body, whose real size is unknown, and one that is not JSON."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise DeliveryRefused(415, "content_encoding")
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if not re.fullmatch(r"application/(json|[^/]+\+json)", media_type):
        raise DeliveryRefused(415, "content_type")
