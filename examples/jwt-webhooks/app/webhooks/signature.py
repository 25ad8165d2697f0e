"""Whether a delivery comes from Olympus: by its signature, or by a static key.

    signature = hex(HMAC-SHA256(secret, "{timestamp}." + body))

Kratos cannot sign, so there are keys too. They are weaker: a delivery shows its key.
"""

import hmac
import re
from collections.abc import Iterable

from starlette.datastructures import Headers

from app.settings import WebhookSettings
from app.webhooks.events import DeliveryRefused

PATH = "/webhooks/olympus"
SIGNATURE, TIMESTAMP, API_KEY = "X-Signature", "X-Timestamp", "X-API-Key"
TOLERANCE = 300  # seconds that the timestamp may lie in the past or in the future


def check_delivery(headers: Headers, body: bytes, settings: WebhookSettings, now: float) -> float:
    """Return when a delivery was sent, in seconds since 1970 as `now`. Raises `DeliveryRefused`.

    A key counts only without signature headers: it must not let in what a signature keeps out.
    """
    signatures, timestamps = headers.getlist(SIGNATURE), headers.getlist(TIMESTAMP)
    if settings.webhook_api_keys and not signatures and not timestamps:
        keys = headers.getlist(API_KEY)
        known = [key.get_secret_value() for key in settings.webhook_api_keys]
        if len(keys) != 1 or not is_one_of(keys[0], known):
            raise DeliveryRefused(401, "api_key")
        return now
    if len(signatures) != 1 or len(timestamps) != 1:
        raise DeliveryRefused(401, "headers")
    check_timestamp(timestamps[0], now)
    message = timestamps[0].encode() + b"." + body
    secrets = [secret.get_secret_value().encode() for secret in settings.webhook_secrets]
    made = [hmac.new(secret, message, "sha256").hexdigest() for secret in secrets]
    if not is_one_of(signatures[0], made):
        raise DeliveryRefused(401, "signature")
    return int(timestamps[0])


def check_timestamp(timestamp: str, now: float) -> None:
    """Refuse a timestamp that is malformed, too old or too new."""
    # ASCII digits only: `int` accepts those of other scripts, spaces and underscores too.
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(int(now) - int(timestamp)) > TOLERANCE:
        raise DeliveryRefused(401, "timestamp")


def is_one_of(text: str, expected: Iterable[str]) -> bool:
    """Compare with all of `expected`, so that the time does not tell which one matches."""
    # As bytes: `compare_digest` takes no text that is not ASCII.
    return sum(hmac.compare_digest(text.encode(), one.encode()) for one in expected) > 0
