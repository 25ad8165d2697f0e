"""The rule that a delivery is signed by, on its own."""

import pytest

from app.signature import TOLERANCE, is_current, is_signed, sign

SECRET = "whsec_test_0123456789abcdef0123456789abcdef"
TIMESTAMP = "1700000000"
BODY = b'{"id":"evt_1","type":"token.revoked"}'
SIGNATURE = "2e15c12da6cd975b15167b3ebaa16a775c88e757f8b3eb425c81ccd2c230fada"
OTHER_BODY = b'{"event_id":"evt_1","event_type":"user.created","payload":{}' + b"}"

VECTORS = {
    "one-envelope": (SECRET, TIMESTAMP, BODY, SIGNATURE),
    "the-other": (
        "whsec_a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
        "1712582400",
        OTHER_BODY,
        "c893e7c0b843f0d67effeda15144df3ed352ad088651eb38b397e6b300db5a92",
    ),
}


@pytest.mark.parametrize(
    ("secret", "timestamp", "body", "signature"), VECTORS.values(), ids=VECTORS
)
def test_the_documented_scheme(secret: str, timestamp: str, body: bytes, signature: str) -> None:
    """The whole secret is the key, prefix included; the time is signed too."""
    assert sign(body, secret, timestamp) == signature
    assert is_signed(body, signature, [secret], timestamp)


OTHERS = {
    "body": (BODY + b" ", SIGNATURE, SECRET, TIMESTAMP),
    "secret": (BODY, SIGNATURE, SECRET + "x", TIMESTAMP),
    "timestamp": (BODY, SIGNATURE, SECRET, "1700000001"),
    "spelling-of-the-timestamp": (BODY, SIGNATURE, SECRET, "01700000000"),
    "one-digit": (BODY, SIGNATURE[:-1] + "b", SECRET, TIMESTAMP),
    "of-the-body-alone": (
        OTHER_BODY,
        "cbc1a42e710857de5576d0f57a7530ee12c1f51f5f7a5b60f2578e819f489b74",
        "whsec_a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
        "1712582400",
    ),
}


@pytest.mark.parametrize(("body", "signature", "secret", "timestamp"), OTHERS.values(), ids=OTHERS)
def test_anything_else_has_another_signature(
    body: bytes, signature: str, secret: str, timestamp: str
) -> None:
    assert not is_signed(body, signature, [secret], timestamp)


MALFORMED = ["", SIGNATURE.upper(), SIGNATURE[:-1], SIGNATURE + "0", "sha256=" + SIGNATURE]
MALFORMED += [SIGNATURE[:-1] + "\u0661", SIGNATURE + "\n", "v1," + SIGNATURE, "\udc80" * 64]


@pytest.mark.parametrize("signature", MALFORMED, ids=ascii)
def test_a_malformed_signature_is_none(signature: str) -> None:
    """And never an exception: text that is not ASCII cannot be compared in constant time."""
    assert not is_signed(BODY, signature, [SECRET], TIMESTAMP)


@pytest.mark.parametrize("secrets", [[SECRET, "other"], ["other", SECRET], [SECRET, SECRET]])
def test_one_good_secret_is_enough(secrets: list[str]) -> None:
    assert is_signed(BODY, SIGNATURE, secrets, TIMESTAMP)


def test_without_a_secret_nothing_is_signed() -> None:
    assert not is_signed(BODY, SIGNATURE, [], TIMESTAMP)


@pytest.mark.parametrize("off", [-TOLERANCE, 0, TOLERANCE])
def test_a_time_within_the_tolerance_is_current(off: int) -> None:
    assert is_current(TIMESTAMP, 1_700_000_000.9 + off)


@pytest.mark.parametrize("off", [-TOLERANCE - 1, TOLERANCE + 1])
def test_a_time_outside_of_it_is_not(off: int) -> None:
    """In both directions: a delivery from the future could be sent again until then."""
    assert not is_current(TIMESTAMP, 1_700_000_000 + off)


MALFORMED_TIMES = [
    "",
    " 1700000000",
    "+1700000000",
    "1_700_000_000",
    "1700000000.0",
    "0x6553f100",
    "-1",
    "1" * 13,
    "1" * 5000,
    "\u0661700000000",
    "1700000000\n",
    "now",
]


@pytest.mark.parametrize("timestamp", MALFORMED_TIMES, ids=ascii)
def test_a_malformed_time_is_not_current(timestamp: str) -> None:
    assert not is_current(timestamp, 1_700_000_000, tolerance=10**13)
