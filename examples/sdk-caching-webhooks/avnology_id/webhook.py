"""Whether a delivery is the platform's own (`/docs/api/webhooks/signature-verification`).

The signature is `hex(HMAC-SHA256(secret, "{timestamp}." + body))`.
"""

import hashlib
import hmac
import re
from time import time


def verify_signature(
    body: bytes | str,
    signature: str,
    secret: str,
    *,
    timestamp: str | int | None = None,
    tolerance: float = 300,
) -> bool:
    """Tell whether `signature` was made for the exact bytes of `body`, and not long ago.

    `timestamp` is the value of `X-Avnology-Timestamp`, in whole seconds since 1970. It may be
    `tolerance` seconds off. The platform signs it, so without it the result is `False`.
    """
    sent = "" if timestamp is None else str(timestamp)
    # ASCII digits only: `int` accepts those of other scripts, spaces and underscores too.
    if not re.fullmatch(r"[0-9]{1,12}", sent) or abs(int(time()) - int(sent)) > tolerance:
        return False
    content = body.encode() if isinstance(body, str) else body
    expected = hmac.new(secret.encode(), sent.encode() + b"." + content, hashlib.sha256)
    # As bytes: `compare_digest` takes no text that is not ASCII.
    return hmac.compare_digest(expected.hexdigest().encode(), signature.encode())
