"""A signed token in its parts (JWS compact serialisation, RFC 7515), read strictly.

Each token has exactly one valid spelling. Its header chooses between the issuer's keys and nothing
else. Nothing in a token is trusted before its signature is verified.
"""

import base64
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from typing import NamedTuple

from jose.backends.base import Key

from app.auth.claims import parse_object
from app.auth.errors import InvalidToken

MAX_KEY_ID_LENGTH = 256
MAX_TRIES = 8  # keys that one signature is tried with

_TYPES = {"jwt", "at+jwt"}
# Each of them lets a token bring its own key, or changes how it is read.
_FORBIDDEN = {"crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5u", "x5c"}


class VerificationKey(NamedTuple):
    """A public key that is bound to one algorithm, so that no token can choose another for it."""

    key_id: str | None
    algorithm: str
    key: Key


class SignedToken(NamedTuple):
    """A token whose signature is still to be verified."""

    algorithm: str
    key_id: str | None
    type: str  # `jwt` or `at+jwt`
    signing_input: bytes
    signature: bytes
    payload: bytes

    def is_signed_by_one(self, keys: Sequence[VerificationKey]) -> bool:
        """Tell whether one of `keys` signed this: the one it names, or another of its algorithm.

        A token that Hydra refreshed after a rotation names the old key and is signed by the new
        one, which is listed right before it. A token that names a missing key is tried with none.
        """
        of_algorithm = [key for key in keys if key.algorithm == self.algorithm]
        named = [n for n, key in enumerate(of_algorithm) if self.key_id in (None, key.key_id)]
        tried = [*of_algorithm[named[0] :: -1], *of_algorithm[named[0] + 1 :]] if named else []
        return any(key.key.verify(self.signing_input, self.signature) for key in tried[:MAX_TRIES])


def parse_token(token: str, algorithms: frozenset[str]) -> SignedToken:
    """Take a token apart. `algorithms` are the names that its header may say.

    Raises `InvalidToken`, and nothing else, for text that is no such token.
    """
    try:
        header, payload, signature = token.split(".")
        return SignedToken(
            *read_header(header, algorithms),
            signing_input=token.rpartition(".")[0].encode(),
            signature=decode_segment(signature),
            payload=decode_segment(payload),
        )
    except ValueError:
        raise InvalidToken("not_compact") from None


@lru_cache(maxsize=32)  # tokens of one key have the same header: 6 % of a request
def read_header(header: str, algorithms: frozenset[str]) -> tuple[str, str | None, str]:
    """Return the algorithm, the key's id and the type of a token. Raises `InvalidToken`."""
    fields = parse_object(decode_segment(header))
    check_forbidden(fields)
    return algorithm_of(fields, algorithms), key_id_of(fields), type_of(fields)


def decode_segment(segment: str) -> bytes:
    """Decode base64url without padding (RFC 7515, section 2). Raises `ValueError`.

    The decoder skips foreign characters and ignores the spare bits of the last one, so the bytes
    are encoded again and compared.
    """
    raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if not raw or base64.urlsafe_b64encode(raw).rstrip(b"=") != segment.encode():
        raise ValueError("the segment is empty, or spelled in another way")
    return raw


def check_forbidden(fields: Mapping[str, object]) -> None:
    """Refuse a header that brings keys, extensions, compression or a nested token (RFC 8725)."""
    if not _FORBIDDEN.isdisjoint(fields):
        raise InvalidToken("header")


def algorithm_of(fields: Mapping[str, object], algorithms: Set[str]) -> str:
    """Return `alg`, if it is one of `algorithms` as it is spelled there (RFC 8725, 3.1)."""
    algorithm = fields.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise InvalidToken("algorithm")
    return algorithm


def key_id_of(fields: Mapping[str, object]) -> str | None:
    """Return `kid`, or `None` where the token names no key, as some of Hydra's do not."""
    key_id = fields.get("kid", "")
    if not isinstance(key_id, str) or len(key_id) > MAX_KEY_ID_LENGTH:
        raise InvalidToken("key_id")
    return key_id or None


def type_of(fields: Mapping[str, object]) -> str:
    """Return `typ`: an access token's, never a logout, security-event or DPoP token's.

    Hydra writes `JWT`, RFC 9068 `at+jwt`, with or without `application/` before it and in any case.
    """
    name = str(fields.get("typ")).lower().removeprefix("application/")
    if name not in _TYPES:
        raise InvalidToken("type")
    return name
