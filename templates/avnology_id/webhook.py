"""Whether a delivery is the platform's own (`/docs/api/webhooks/signature-verification`)."""

import time

from app.signature import TOLERANCE, is_current, is_signed


def verify_signature(
    body: bytes | str,
    signature: str,
    secret: str,
    *,
    timestamp: str | int | None = None,
    tolerance: float = TOLERANCE,
) -> bool:
    """Tell whether `signature` is good for `body`, exactly as it came, and for now.

    `timestamp` is what came in `X-Avnology-Timestamp`, and may be `tolerance` seconds off. Without
    it the answer is no, because the platform signs it too.
    """
    if timestamp is None:
        return False
    content = body.encode() if isinstance(body, str) else body
    sent = str(timestamp)
    return is_current(sent, time.time(), tolerance) and is_signed(
        content, signature, [secret], sent
    )
