"""A signed token in its parts (JWS compact serialisation, RFC 7515), read strictly.

Each token has exactly one valid spelling. Its header chooses between the issuer's keys and nothing
else. Nothing in a token is trusted before its signature is verified.
"""

import binascii
import string
from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from app.auth.claims import MalformedClaims, parse_object
from app.auth.errors import InvalidToken

MAX_KEY_ID_LENGTH = 256

_ALPHABET = (string.ascii_letters + string.digits + "-_").encode()
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_ENDINGS = (_ALPHABET, b"", b"AQgw", b"AEIMQUYcgkosw048")
"""What a segment may end with, by its length modulo four: with no spare bit set."""
_TYPES = {"jwt", "at+jwt"}
# Each of them lets a token bring its own key, or changes how it is read.
_FORBIDDEN = {"crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5u", "x5c"}


@dataclass(frozen=True, slots=True)
class Header:
    """What a token says about its signature. Not trusted before the signature is verified."""

    algorithm: str
    key_id: str | None
    type: str
    """`jwt` or `at+jwt`."""


class SignedToken(NamedTuple):
    """A token whose signature is still to be verified."""

    header: Header
    signing_input: bytes
    signature: bytes
    payload: bytes


def parse_token(token: str, algorithms: Set[str]) -> SignedToken:
    """Take a token apart. `algorithms` are the names that its header may say.

    Raises `InvalidToken`, whatever the text is.
    """
    raw = token.encode("ascii", "replace")  # by a character that no token has
    signing_input, _, signature = raw.rpartition(b".")
    segment, _, payload = signing_input.partition(b".")
    # Deleting the alphabet leaves two dots, faster than a regular expression.
    if raw.translate(None, _ALPHABET) != b".." or not (segment and payload and signature):
        raise InvalidToken("not_compact")
    header = read_header(segment)
    check_algorithm(header, algorithms)
    return SignedToken(
        header=header,
        signing_input=signing_input,
        signature=decode_segment(signature),
        payload=decode_segment(payload),
    )


# All tokens of one key have the same header. Refusals are not kept.
@lru_cache(maxsize=32)
def read_header(segment: bytes) -> Header:
    """Read the first segment of a token. Raises `InvalidToken`."""
    try:
        fields = parse_object(decode_segment(segment))
    except MalformedClaims:
        raise InvalidToken("header") from None
    check_forbidden(fields)
    return Header(algorithm_of(fields), key_id_of(fields), type_of(fields))


def decode_segment(segment: bytes) -> bytes:
    """Decode base64url without padding (RFC 7515, section 2), in its one canonical spelling.

    `segment` is not empty and has no character of another alphabet. The last character has spare
    bits. A decoder that ignores them gives a token many spellings.
    """
    if segment[-1] not in _ENDINGS[len(segment) % 4]:
        raise InvalidToken("base64")
    return binascii.a2b_base64(segment.translate(_TO_STANDARD) + b"=" * (-len(segment) % 4))


def check_forbidden(fields: dict[str, object]) -> None:
    """Refuse a header that brings keys, extensions, compression or a nested token (RFC 8725)."""
    if not _FORBIDDEN.isdisjoint(fields):
        raise InvalidToken("header")


def algorithm_of(fields: dict[str, object]) -> str:
    """Return `alg`, which is text and never missing (RFC 7515, section 4.1.1)."""
    algorithm = fields.get("alg")
    if not isinstance(algorithm, str):
        raise InvalidToken("algorithm")
    return algorithm


def check_algorithm(header: Header, algorithms: Set[str]) -> None:
    """Refuse an algorithm that is not on the list as it is spelled there (RFC 8725, 3.1)."""
    if header.algorithm not in algorithms:
        raise InvalidToken("algorithm")


def key_id_of(fields: dict[str, object]) -> str | None:
    """Return `kid`, or `None` where the token names no key, as some of Hydra's do not."""
    key_id = fields.get("kid", "")
    if not isinstance(key_id, str) or len(key_id) > MAX_KEY_ID_LENGTH:
        raise InvalidToken("key_id")
    return key_id or None


def type_of(fields: dict[str, object]) -> str:
    """Return `typ`: an access token's, never a logout, security-event or DPoP token's.

    Hydra writes `JWT`, RFC 9068 `at+jwt`, with or without `application/` before it and in any case.
    """
    name = fields.get("typ")
    if not isinstance(name, str):
        raise InvalidToken("type")
    name = name.lower().removeprefix("application/")
    if name not in _TYPES:
        raise InvalidToken("type")
    return name
