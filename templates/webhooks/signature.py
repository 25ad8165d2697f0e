"""How a delivery is signed: HMAC-SHA256 over the time of sending and the exact bytes of the body.

    signature = hex(HMAC-SHA256(secret, "{timestamp}." + body))

Nothing here reads a clock, a setting or a header, so every rule can be tried on its own.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence

from app.webhook_errors import InvalidSignature

TOLERANCE = 300
"""Seconds that the time of sending may lie in the past or the future."""

_SIGNATURE = re.compile(r"[0-9a-f]{64}")
# Digits of ASCII only: `int` would take those of other scripts, blanks and underscores too.
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def sign(body: bytes, secret: str, timestamp: str) -> str:
    """Return the signature of `body`, sent at `timestamp` (whole seconds since 1970, as text)."""
    message = timestamp.encode() + b"." + body
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def is_signed(body: bytes, signature: str, secrets: Iterable[str], timestamp: str) -> bool:
    """Tell whether `signature` was made with one of `secrets`."""
    if not _SIGNATURE.fullmatch(signature):
        return False
    # A list, so that the time this takes does not tell which of them it was
    matches = [hmac.compare_digest(sign(body, key, timestamp), signature) for key in secrets]
    return any(matches)


def is_current(timestamp: str, now: float, tolerance: float = TOLERANCE) -> bool:
    """Tell whether `timestamp` lies within `tolerance` seconds of `now` (seconds since 1970)."""
    return (
        _TIMESTAMP.fullmatch(timestamp) is not None and abs(int(now) - int(timestamp)) <= tolerance
    )


def check_signed(
    body: bytes,
    signatures: Sequence[str],
    timestamps: Sequence[str],
    secrets: Iterable[str],
    now: float,
) -> int:
    """Return when `body` was sent (seconds since 1970), as its one signature vouches for.

    `signatures` and `timestamps` are the values of the two headers. Raises `InvalidSignature`.
    """
    if len(signatures) != 1 or len(timestamps) != 1:
        raise InvalidSignature("headers")
    if not is_current(timestamps[0], now):
        raise InvalidSignature("timestamp")
    if not is_signed(body, signatures[0], secrets, timestamps[0]):
        raise InvalidSignature("signature")
    return int(timestamps[0])
