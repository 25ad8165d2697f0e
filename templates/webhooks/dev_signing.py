"""Signs events as the platform does, and sends them."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping

from app.webhooks.signature import PATH, SIGNATURE, TIMESTAMP
from dev.calls import Reply, send

SECRET = "whsec_of_the_local_provider_0123456789"
"""The secret of the service that `make run` starts. Anybody can read it here."""


def event(
    event_type: str,
    subject: str | None = None,
    event_id: str | None = None,
    data: Mapping[str, object] | None = None,
) -> bytes:
    """Return the body of an event. Without an `event_id` it gets a new one."""
    about = {} if subject is None else {"user_id": subject}
    document = {
        "id": event_id or f"evt_{uuid.uuid4().hex}",
        "type": event_type,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "data": {**about, **(data or {})},
    }
    return json.dumps(document).encode()


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> Mapping[str, str]:
    """Return the headers of a delivery that is sent now, or `at` (seconds since 1970)."""
    timestamp = str(int(time.time() if at is None else at))
    message = timestamp.encode() + b"." + body
    signature = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return {SIGNATURE: signature, TIMESTAMP: timestamp}


def deliver(service_url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Send an event to a running service. Raises `CallFailed`."""
    content = [("Content-Type", "application/json"), *headers.items()]
    return send("POST", service_url + PATH, content, body)
