"""Tokens of the demonstration whose fate depends on how this service checks them."""

from dev.directory import ANNA, BERT
from dev.promises import INVALID_TOKEN, NOT_READY, UNAVAILABLE, Outcome

UNUSABLE = {
    "unknown token": "a" * 94,
    "refresh token": "rt_" + "a" * 64,
}
"""Tokens that are refused, by the name of the call."""

REVOKED = INVALID_TOKEN
"""What comes of a token that was revoked a moment ago."""

PROVIDER_GONE = UNAVAILABLE
"""What comes of a good token while the provider does not answer."""

PROBE_WITHOUT_PROVIDER = NOT_READY
"""What the service says of itself meanwhile."""

FOR_USERS = (
    ("a user", ANNA, "GET", "/api/profile", Outcome(200, "", "name Anna Example")),
    ("not known", "usr_nobody", "GET", "/api/profile", Outcome(404, "", "User not found")),
    ("a machine", None, "GET", "/api/profile", Outcome(403, "", "User token required")),
    ("an editor", ANNA, "PUT", "/api/projects/apollo", Outcome(200, "", "updated True")),
    ("a viewer", BERT, "PUT", "/api/projects/apollo", Outcome(403, "", "Permission denied")),
    ("no such id", ANNA, "PUT", "/api/projects/apollo%23editor", Outcome(404, "", "Not found")),
)
"""Calls whose answer depends on who the caller is: call, user, method, path and answer."""
