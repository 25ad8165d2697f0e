"""What the contract says about a call: status, challenge or `Retry-After`, and detail."""

import re
from typing import NamedTuple


class Outcome(NamedTuple):
    """What a caller sees. In an expected outcome, `header` is a regular expression."""

    status: int
    header: str
    detail: str

    def matches(self, seen: "Outcome") -> bool:
        """Tell whether `seen` is what this expects."""
        same = (self.status, self.detail) == (seen.status, seen.detail)
        return same and re.fullmatch(self.header, seen.header) is not None


def refused(status: int, detail: str, rest: str = "") -> Outcome:
    """Return a refusal with a challenge."""
    return Outcome(status, re.escape(f'Bearer realm="widget-service"{rest}'), detail)


NOT_AUTHENTICATED = refused(401, "Not authenticated")
INVALID_REQUEST = refused(400, "Invalid request", ', error="invalid_request"')
INVALID_TOKEN = refused(401, "Invalid or expired token", ', error="invalid_token"')
INSUFFICIENT_SCOPE = refused(
    403, "insufficient_scope", ', error="insufficient_scope", scope="write:widgets"'
)
UNAVAILABLE = Outcome(503, "Retry-After: [1-9][0-9]*", "Identity provider unavailable")
HEALTHY = Outcome(200, "", "ok")
NOT_READY = Outcome(503, "", "unavailable: identity provider")
READER = Outcome(200, "", "user reader")
WRITER = Outcome(200, "", "user writer")
WIDGET_NOT_FOUND = Outcome(404, "", "Widget not found")
TOO_LARGE = Outcome(413, "", "Payload too large")
RECEIVED = Outcome(200, "", "received")
INVALID_SIGNATURE = Outcome(401, "", "Invalid signature")
INVALID_PAYLOAD = Outcome(400, "", "Invalid payload")
REUSED = Outcome(409, "", "Event id already used")
UNSUPPORTED = Outcome(415, "", "Unsupported media type")

FOR_USERS = (
    ("a user", "usr_anna", "GET", "/api/profile", Outcome(200, "", "name Anna Example")),
    ("not known", "usr_none", "GET", "/api/profile", Outcome(404, "", "User not found")),
    ("a machine", None, "GET", "/api/profile", Outcome(403, "", "User token required")),
    ("an editor", "usr_anna", "PUT", "/api/projects/apollo", Outcome(200, "", "updated True")),
    ("a viewer", "usr_bert", "PUT", "/api/projects/apollo", Outcome(403, "", "Permission denied")),
    ("no such id", "usr_anna", "PUT", "/api/projects/a%23b", Outcome(404, "", "Not found")),
)
"""Calls whose response depends on the user: call, user, method, path and outcome."""
