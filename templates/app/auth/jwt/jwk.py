"""Which keys of a JWK set (RFC 7517) this service can use, and for what.

python-jose builds keys and verifies signatures. What it does not check is checked here: the use and
the operations of a key, its strength, its curve and its name.
"""

import base64
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from jose import jwk
from jose.backends.base import Key

from app.auth.claims import MalformedClaims, parse_object

logger = logging.getLogger("app.auth.jwt.jwk")

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
"""Longer keys would make every verification expensive."""

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth"}
_KINDS = {"RSA", "EC"}
_NOT_SUPPORTED = {"OKP": "EdDSA", "oct": "HMAC"}


class UnusableKey(Exception):
    """A key, or a whole set of them, cannot be used. The text says why and quotes nothing."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key that is bound to one algorithm, so that no token can choose another for it."""

    key_id: str | None
    algorithm: str
    key: Key

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        """Tell whether this key made the signature."""
        return bool(self.key.verify(signing_input, signature))


def read_key_set(raw: bytes, algorithms: Set[str]) -> tuple[list[VerificationKey], list[str]]:
    """Read a JWK set (RFC 7517, section 5). Return its usable keys, and why others are left out.

    Raises `UnusableKey` when it is no set, or shows private keys or two keys of one name.
    """
    try:
        members = parse_object(raw).get("keys")
    except MalformedClaims as problem:
        raise UnusableKey(str(problem)) from None
    if not isinstance(members, list):
        raise UnusableKey("the document holds no list of keys")
    objects = [member for member in members if isinstance(member, dict)]
    check_no_private_key(objects)
    check_names_are_unique(objects)
    usable: list[VerificationKey] = []
    problems: set[str] = set()
    for member in members:
        try:
            usable += read_key(member, algorithms)
        except UnusableKey as problem:
            problems.add(str(problem))
            key_id = member.get("kid") if isinstance(member, dict) else None
            # No list, however deeply nested: to show it may take more than there is of the stack.
            name = key_id if isinstance(key_id, str) else None
            logger.warning("key left out kid=%.40r reason=%s", name, problem)
    return usable, sorted(problems)


def check_no_private_key(members: Iterable[Mapping[str, object]]) -> None:
    """Refuse a set that shows a private key: any reader of the set can sign with it."""
    if any(not _PRIVATE.isdisjoint(member) for member in members):
        raise UnusableKey("the set shows a private key")


def check_names_are_unique(members: Iterable[Mapping[str, object]]) -> None:
    """Refuse a set in which two keys have one name, as a token may mean either."""
    # A name of another type makes only its own key unusable.
    names = Counter(member["kid"] for member in members if isinstance(member.get("kid"), str))
    if names and max(names.values()) > 1:
        raise UnusableKey("two keys have the same name")


def read_key(member: object, algorithms: Set[str]) -> list[VerificationKey]:
    """Return the key once for every algorithm that it may be used with. Raises `UnusableKey`."""
    if not isinstance(member, dict):
        raise UnusableKey("it is no object")
    check_purpose(member)
    key_id = member.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise UnusableKey("its name is no text")
    fitting = sorted(algorithms & algorithms_of(member))
    if not fitting:
        raise UnusableKey("its algorithm is not in JWT_ALGORITHMS")
    return [VerificationKey(key_id or None, name, build(member, name)) for name in fitting]


def check_purpose(member: Mapping[str, object]) -> None:
    """Refuse a key that its owner does not sign tokens with (RFC 7517, sections 4.2 and 4.3)."""
    if member.get("use", "sig") != "sig":
        raise UnusableKey("it is not for signatures")
    operations = member.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKey("it is not for verifying")


def algorithms_of(member: Mapping[str, object]) -> Set[str]:
    """Return the algorithms of a key: those of its kind, or the one among them that it names."""
    kind, curve, named = member.get("kty"), member.get("crv"), member.get("alg")
    if kind == "RSA":
        of_kind = {"RS256", "RS384", "RS512"}
    elif kind == "EC":
        of_kind = {name for name, of_name in _CURVES.items() if of_name == curve}
    else:
        raise UnusableKey(f"{_NOT_SUPPORTED.get(str(kind), 'its kind')} is not supported")
    if named is None:
        return of_kind
    if not isinstance(named, str) or named not in of_kind:
        known = isinstance(named, str) and named.isalnum() and len(named) <= 10
        raise UnusableKey(f"{named if known else 'its algorithm'} is not supported")
    return {named}


def build(member: Mapping[str, object], algorithm: str) -> Key:
    """Build the key by python-jose, after the checks that it lacks. Raises `UnusableKey`."""
    if member["kty"] == "RSA":
        check_rsa_strength(number(member, "n"), number(member, "e"))
    else:
        number(member, "x")
        number(member, "y")
    try:
        return jwk.construct(dict(member), algorithm)
    except Exception:  # noqa: BLE001 - JWKError, ValueError, TypeError, KeyError: seen, and not all
        raise UnusableKey("its numbers make no key") from None


def check_rsa_strength(modulus: int, exponent: int) -> None:
    """Refuse an RSA key that is too weak, or that costs too much (NIST SP 800-131A)."""
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS:
        raise UnusableKey("its modulus has too few bits, or too many")
    # an even one makes no key, which is for the library to say
    if exponent < 65_537 or exponent.bit_length() > 32:
        raise UnusableKey("its exponent is not one that is in use")


def number(member: Mapping[str, object], name: str) -> int:
    """Return a number of a key (base64url, big endian; RFC 7518, section 2)."""
    value = member.get(name)
    if not isinstance(value, str):
        raise UnusableKey(f"its {name} is no text")
    try:
        raw = base64.b64decode(value + "=" * (-len(value) % 4), "-_", validate=True)
    except ValueError:
        raise UnusableKey(f"its {name} is no number") from None
    return int.from_bytes(raw)
