"""Signs events as the platform does, and sends them."""

import json
import time
import uuid
from collections.abc import Mapping

from app.deliveries import PATH, SIGNATURE, TIMESTAMP
from app.signature import sign
from dev.calls import Reply, send

SECRET = "whsec_of_the_local_provider_0123456789"
"""What the service that `make run` starts is told. Known to everybody."""


def event(kind: str, subject: str, event_id: str | None = None) -> bytes:
    """Return the body of an event about `subject`, with an id of its own unless one is given."""
    happened = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    document = {
        "id": event_id or f"evt_{uuid.uuid4().hex}",
        "type": kind,
        "timestamp": happened,
        "data": {"user_id": subject},
    }
    return json.dumps(document).encode()


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> Mapping[str, str]:
    """Return the headers that a delivery comes with, sent now or `at` (seconds since 1970)."""
    timestamp = str(int(time.time() if at is None else at))
    return {SIGNATURE: sign(body, secret, timestamp), TIMESTAMP: timestamp}


def deliver(service_url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Send an event to a running service. Raises `CallFailed`."""
    content = [("Content-Type", "application/json"), *headers.items()]
    return send("POST", service_url + PATH, content, body)
