"""The vendor's helper for signatures, as the guide uses it with the one keyword more."""

import time

import pytest
from avnology_id.webhook import verify_signature

SECRET = "whsec_test_0123456789abcdef0123456789abcdef"
BODY = b'{"id":"evt_1","type":"token.revoked"}'
SIGNATURE = "2e15c12da6cd975b15167b3ebaa16a775c88e757f8b3eb425c81ccd2c230fada"
SENT = 1_700_000_000
SINCE = time.time() - SENT + 3600
"""Seconds since the vector was signed, and an hour."""


@pytest.mark.parametrize("timestamp", [SENT, str(SENT)])
@pytest.mark.parametrize("body", [BODY, BODY.decode()])
def test_a_good_signature(body: bytes | str, timestamp: int | str) -> None:
    assert verify_signature(body, SIGNATURE, SECRET, timestamp=timestamp, tolerance=SINCE)


def test_without_the_time_there_is_no_good_one() -> None:
    """The documented scheme signs it too."""
    assert not verify_signature(BODY, SIGNATURE, SECRET)


def test_the_time_is_compared_with_now() -> None:
    assert not verify_signature(BODY, SIGNATURE, SECRET, timestamp=SENT)


@pytest.mark.parametrize("signature", ["", "x", SIGNATURE[::-1]])
def test_a_wrong_signature(signature: str) -> None:
    assert not verify_signature(BODY, signature, SECRET, timestamp=SENT, tolerance=SINCE)


def test_another_body_and_another_secret() -> None:
    assert not verify_signature(b"{}", SIGNATURE, SECRET, timestamp=SENT, tolerance=SINCE)
    assert not verify_signature(BODY, SIGNATURE, SECRET[1:], timestamp=SENT, tolerance=SINCE)
