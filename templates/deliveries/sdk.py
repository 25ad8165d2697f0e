"""How Avnology ID proves that a delivery is its own: where it sends it and what must be right."""

from pydantic import Field
from starlette.datastructures import Headers

from app.settings import Settings
from app.signature import check_signed
from app.webhook_secrets import Secrets, reveal

PATH = "/webhooks/avnology"
SIGNATURE = "X-Avnology-Signature"
TIMESTAMP = "X-Avnology-Timestamp"
HEADERS = {
    SIGNATURE: "64 hexadecimal digits: HMAC-SHA256 over the timestamp, a dot and the body",
    TIMESTAMP: "When it was sent, in whole seconds since 1970",
}
"""What the OpenAPI document says about the headers of a delivery."""


class WebhookSettings(Settings):
    """Which deliveries are taken."""

    secrets: Secrets = Field(
        alias="WEBHOOK_SECRETS",
        description="the current signing secret and, while it changes, the previous one",
        examples=["whsec_..."],
    )
    max_bytes: int = Field(
        default=262_144,
        ge=1,
        alias="WEBHOOK_MAX_BYTES",
        description="the largest delivery in bytes, at least 1",
        examples=["262144"],
    )


class Authenticity:
    """Decides whether a delivery comes from the platform."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._secrets = reveal(settings.secrets)

    def check(self, headers: Headers, body: bytes, now: float) -> float:
        """Return when the delivery was sent, in seconds since 1970 as `now`.

        Raises `InvalidSignature`.
        """
        signatures, timestamps = headers.getlist(SIGNATURE), headers.getlist(TIMESTAMP)
        return check_signed(body, signatures, timestamps, self._secrets, now)
