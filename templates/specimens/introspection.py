"""Tokens of the demonstration whose fate depends on how this service checks them."""

from dev.promises import INVALID_TOKEN, NOT_READY, UNAVAILABLE

UNUSABLE = {
    "unknown token": "a" * 94,
    "refresh token": "ory_rt_" + "a" * 87,
}
"""Tokens that are refused, by the name of the call."""

REVOKED = INVALID_TOKEN
"""What comes of a token that was revoked a moment ago."""

PROVIDER_GONE = UNAVAILABLE
"""What comes of a good token while the provider does not answer."""

PROBE_WITHOUT_PROVIDER = NOT_READY
"""What the service says of itself meanwhile."""
