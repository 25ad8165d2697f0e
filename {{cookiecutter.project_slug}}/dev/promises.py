"""What the service promises for a call: status, challenge or `Retry-After`, and detail."""

import re
from typing import NamedTuple

from app.about import read_about

RETRY_AFTER = "Retry-After: [1-9][0-9]*"


class Outcome(NamedTuple):
    """What a caller sees. As an expectation, `header` and `detail` are regular expressions."""

    status: int
    header: str
    detail: str


def _refused(status: int, detail: str, rest: str = "") -> Outcome:
    return Outcome(status, re.escape(f'Bearer realm="{read_about().realm}"{rest}'), detail)


NOT_AUTHENTICATED = _refused(401, "Not authenticated")
INVALID_REQUEST = _refused(400, "Invalid request", ', error="invalid_request"')
INVALID_TOKEN = _refused(401, "Invalid or expired token", ', error="invalid_token"')
INSUFFICIENT_SCOPE = _refused(
    403, "insufficient_scope", ', error="insufficient_scope", scope="write:widgets"'
)
UNAVAILABLE = Outcome(503, RETRY_AFTER, "Identity provider unavailable")
HEALTHY = Outcome(200, "", "ok")
NOT_READY = Outcome(503, "", "unavailable: identity provider")
