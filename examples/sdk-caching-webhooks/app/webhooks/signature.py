"""Whether a delivery comes from Avnology ID: by its signature."""

import math

from avnology_id.webhook import verify_signature
from starlette.datastructures import Headers

from app.settings import WebhookSettings
from app.webhooks.events import DeliveryRefused

PATH = "/webhooks/avnology"
TOLERANCE = 300  # seconds that the timestamp may lie in the past or in the future
SIGNATURE, TIMESTAMP = "X-Avnology-Signature", "X-Avnology-Timestamp"


def check_delivery(headers: Headers, body: bytes, settings: WebhookSettings, now: float) -> float:
    """Return when a delivery was sent, in seconds since 1970. Raises `DeliveryRefused`."""
    signatures, timestamps = headers.getlist(SIGNATURE), headers.getlist(TIMESTAMP)
    if len(signatures) != 1 or len(timestamps) != 1:
        raise DeliveryRefused(401, "headers")
    # Every secret is tried, so that the time does not tell which one matches. The timestamp is
    # compared below, with the clock of this service.
    secrets = [secret.get_secret_value() for secret in settings.webhook_secrets]
    matches = [
        verify_signature(body, signatures[0], secret, timestamp=timestamps[0], tolerance=math.inf)
        for secret in secrets
    ]
    if not any(matches):
        raise DeliveryRefused(401, "signature")
    if abs(int(now) - int(timestamps[0])) > TOLERANCE:
        raise DeliveryRefused(401, "timestamp")
    return int(timestamps[0])
