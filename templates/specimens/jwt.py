"""Tokens of the demonstration whose fate depends on how this service checks them."""

from dev.promises import HEALTHY, Outcome

UNUSABLE = {
    "unknown token": "a" * 94,
    "unsigned token": "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.",
}
"""Tokens that are refused, by the name of the call."""

REVOKED = Outcome(200, "", "user writer")
"""What comes of a token that was revoked a moment ago: nobody tells who verifies it by himself."""

PROVIDER_GONE = Outcome(200, "", "user writer")
"""What comes of a good token while the provider does not answer: the keys are at hand."""

PROBE_WITHOUT_PROVIDER = HEALTHY
"""What the service says of itself meanwhile."""
