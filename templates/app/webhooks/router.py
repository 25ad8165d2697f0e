"""Where the platform delivers its events.

Checks come in the order of their cost: size, headers, signature, JSON. Then the event is stored.
"""

import logging
import re

from fastapi import APIRouter, Request
from prometheus_client import Counter
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.body_limit import limited
from app.settings import WebhookSettings
from app.webhooks.events import REFUSALS, DeliveryRefused, parse_event
from app.webhooks.signature import PATH, check_delivery

logger = logging.getLogger("app.webhooks")
router = APIRouter(tags=["webhooks"])
DELIVERIES = Counter("webhook_deliveries", "Deliveries of events", ["outcome"])

# The route reads the raw body, over which the signature is made, so FastAPI cannot describe it.
BODY = dict[str, object](content={"application/json": dict[str, object]()})


@router.post(PATH, responses=REFUSALS, openapi_extra={"requestBody": BODY})
async def receive(request: Request) -> dict[str, bool]:
    """Accept an event. Its handler runs after the answer."""
    settings: WebhookSettings = request.state.settings
    try:
        read = limited(request.scope, request.receive, settings.webhook_max_bytes)
        body = await Request(request.scope, read).body()
        check_media_type(request.headers)
        now = request.state.clock()
        sent_at = check_delivery(request.headers, body, settings, now)
        row = await request.state.accept(parse_event(body, sent_at, now))
    except HTTPException as refusal:
        DELIVERIES.labels(refusal.status_code).inc()
        level = logging.WARNING if refusal.status_code == 503 else logging.INFO
        reason = getattr(refusal, "reason", "size")
        logger.log(level, "webhook refused status=%d reason=%s", refusal.status_code, reason)
        raise
    except ClientDisconnect:
        raise DeliveryRefused(400, "disconnected") from None
    DELIVERIES.labels("ignored" if row is None else "stored").inc()
    return {"received": True}


def check_media_type(headers: Headers) -> None:
    """Refuse a compressed body, whose real size is unknown, and one that is not JSON."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise DeliveryRefused(415, "content_encoding")
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if not re.fullmatch(r"application/(json|[^/]+\+json)", media_type):
        raise DeliveryRefused(415, "content_type")
