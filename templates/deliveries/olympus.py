"""How Olympus proves that a delivery is its own: where it sends it and what must be right.

Kratos cannot sign what its hooks send. For those there are keys that come as they are, which is
weaker: whoever sees one delivery can make others.
"""

import hmac
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from starlette.datastructures import Headers

from app.settings import Settings
from app.signature import check_signed
from app.webhook_errors import InvalidSignature
from app.webhook_secrets import Secrets, reveal, split

PATH = "/webhooks/olympus"
SIGNATURE = "X-Signature"
TIMESTAMP = "X-Timestamp"
API_KEY = "X-API-Key"
MIN_API_KEY_BYTES = 16
HEADERS = {
    SIGNATURE: "64 hexadecimal digits: HMAC-SHA256 over the timestamp, a dot and the body",
    TIMESTAMP: "When it was sent, in whole seconds since 1970",
    API_KEY: "In place of both, where such keys are configured",
}
"""What the OpenAPI document says about the headers of a delivery."""


def _long_keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(key) < MIN_API_KEY_BYTES or not re.fullmatch("[!-~]+", key) for key in reveal(keys)):
        raise ValueError(
            f"holds a key of less than {MIN_API_KEY_BYTES} bytes, or with a character that no "
            "header has: set longer ones of plain ASCII, separated by commas"
        )
    return keys


ApiKeys = Annotated[tuple[SecretStr, ...], BeforeValidator(split), AfterValidator(_long_keys)]
"""Keys that senders show, all of them good."""


class WebhookSettings(Settings):
    """Which deliveries are taken."""

    secrets: Secrets = Field(
        alias="WEBHOOK_SECRETS",
        description="the current signing secret and, while it changes, the previous one",
        examples=["whsec_..."],
    )
    api_keys: ApiKeys = Field(
        default=(),
        alias="WEBHOOK_API_KEYS",
        description="the keys of senders that cannot sign, separated by commas",
        examples=["key_..."],
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
        self._api_keys = reveal(settings.api_keys)

    def check(self, headers: Headers, body: bytes, now: float) -> float:
        """Return when the delivery was sent, in seconds since 1970 as `now`.

        Raises `InvalidSignature`.
        """
        signatures, timestamps = headers.getlist(SIGNATURE), headers.getlist(TIMESTAMP)
        # A key must not let in what a signature keeps out.
        if not self._api_keys or signatures or timestamps:
            return check_signed(body, signatures, timestamps, self._secrets, now)
        check_api_key(headers.getlist(API_KEY), self._api_keys)
        return now


def check_api_key(sent: Sequence[str], known: Sequence[str]) -> None:
    """Refuse unless one key was sent, and it is one of `known`."""
    # All are compared, and as bytes: text that is not ASCII cannot be compared in constant time.
    matches = [hmac.compare_digest(one.encode(), key.encode()) for one in sent for key in known]
    if len(sent) != 1 or not any(matches):
        raise InvalidSignature("api_key")
