"""The vendor's check of signatures, as the guide calls it, with the time as a further argument."""

import time
from typing import Any

import pytest
from avnology_id.webhook import verify_signature

# A vector of the documented scheme.
SENT = 1_700_000_000
GOOD: dict[str, Any] = {
    "body": b'{"id":"evt_1","type":"token.revoked"}',
    "signature": "2e15c12da6cd975b15167b3ebaa16a775c88e757f8b3eb425c81ccd2c230fada",
    "secret": "whsec_test_0123456789abcdef0123456789abcdef",
    "timestamp": SENT,
    "tolerance": time.time() - SENT + 3600,
}
CALLS: dict[str, tuple[dict[str, Any], bool]] = {
    "good": ({}, True),
    "text": ({"body": GOOD["body"].decode(), "timestamp": str(SENT)}, True),
    "without the time, which is signed too": ({"timestamp": None}, False),
    "too old": ({"tolerance": 300}, False),
    "signature that is empty": ({"signature": ""}, False),
    "signature of something else": ({"signature": GOOD["signature"][::-1]}, False),
    "another body": ({"body": b"{}"}, False),
    "another secret": ({"secret": GOOD["secret"][1:]}, False),
    "another time": ({"timestamp": SENT + 1}, False),
}


@pytest.mark.parametrize(("change", "expected"), CALLS.values(), ids=CALLS)
def test_verify_signature(change: dict[str, Any], expected: bool) -> None:
    arguments = {**GOOD, **change}

    assert verify_signature(**arguments) is expected
