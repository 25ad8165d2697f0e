"""The issuer's keys (RFC 7517): which of them can be used, and how they stay fresh.

python-jose builds keys and verifies signatures. What it does not check is checked here: the use and
the operations of a key, its strength, its curve and its name.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Set

from jose.backends.base import Key
from jose.backends.cryptography_backend import CryptographyECKey, CryptographyRSAKey
from prometheus_client import Counter

from app.auth.claims import parse_object
from app.auth.errors import InvalidToken, ProviderUnavailable
from app.auth.jwt.jws import SignedToken, VerificationKey, parse_token

logger = logging.getLogger("app.auth.jwt.jwks")
REFRESHES = Counter("jwks_refreshes", "Fetches of the issuer's keys", ["outcome"])

REFRESH_AGE = 480  # seconds after which keys in use are fetched again in the background
LIFETIME = 600  # seconds after which a request waits for fresh keys; Hydra says `no-store`
HARD_LIMIT = 86_400  # seconds that keys are used while the issuer does not respond
MAX_FETCHES = 5  # fetches that tokens can cause at once, however many they are
FETCH_INTERVAL = 10  # seconds until one more fetch is allowed
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192  # longer keys would make every verification expensive

_KINDS = {"ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521")}
"""The `kty` and the `crv` that an algorithm needs (RFC 7518, 3.4). The others need an RSA key."""
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth"}

Fetch = Callable[[], Awaitable[bytes]]  # returns the document, or raises `ProviderUnavailable`
Clock = Callable[[], float]  # returns seconds since 1970


class KeySet:
    """The keys of one issuer, replaced as a whole. If a fetch fails, the old ones stay in use."""

    def __init__(self, fetch: Fetch, algorithms: frozenset[str], clock: Clock) -> None:
        self._fetch = fetch
        self._algorithms = algorithms
        self._clock = clock
        self._keys: list[VerificationKey] = []
        self._fetched_at = float("-inf")
        self._failure: ProviderUnavailable | None = None
        self._pending: asyncio.Task[None] | None = None
        self._allowed_fetches = float(MAX_FETCHES)
        self._counted_at = clock()

    def start(self) -> None:
        """Begin to fetch the keys. The service starts without its issuer too."""
        self._pending = asyncio.create_task(self._replace_keys())

    def close(self) -> None:
        """Cancel a pending fetch."""
        if self._pending is not None:
            self._pending.cancel()

    async def verify(self, token: str) -> SignedToken:
        """Return the parts of `token` when one of the issuer's keys signed it.

        Raises `InvalidToken` when none did, `ProviderUnavailable` when there are no keys to try.
        """
        signed = parse_token(token, self._algorithms)
        await self.keep_fresh()
        # The issuer may have a new key. A pending fetch may have begun before it had.
        for attempt in range(2 if self._pending is None else 3):
            if attempt > 0:
                await self._fetch_again()
            if signed.is_signed_by_one(self._keys):
                return signed
        raise InvalidToken("signature")

    async def keep_fresh(self, patience: float = LIFETIME) -> None:
        """Fetch the keys again if they are old. Wait for it if they are older than `patience`.

        Raises `ProviderUnavailable` when there are no keys, or when they are older than
        `HARD_LIMIT`. `patience` in seconds.
        """
        age = self._age()
        if age < REFRESH_AGE:
            return
        # During an outage only the first request waits. Later ones use the keys at hand.
        limit = patience if self._failure is None else HARD_LIMIT
        await self._fetch_again(wait=age >= limit)
        if self._age() >= HARD_LIMIT:
            raise (self._failure or ProviderUnavailable("no_keys")).with_traceback(None)

    def _age(self) -> float:
        """Return the seconds since the keys were fetched: infinite if there are none."""
        age = self._clock() - self._fetched_at
        # Negative when the clock was set back: then the real age is not known.
        return age if age >= 0 and self._keys else float("inf")

    async def _fetch_again(self, *, wait: bool = True) -> None:
        """Fetch the keys, unless a fetch is pending or none is allowed. `wait` until it ends."""
        if self._pending is None and self._may_fetch():
            self.start()
        if self._pending is not None and wait:
            # Shielded: one caller's cancellation must not cancel the shared fetch.
            await asyncio.shield(self._pending)

    def _may_fetch(self) -> bool:
        """Tell whether a fetch is allowed now. If so, it counts (a token bucket)."""
        now = self._clock()
        passed = max(0, now - self._counted_at)  # the clock may have been set back
        allowed = min(MAX_FETCHES, self._allowed_fetches + passed / FETCH_INTERVAL)
        self._counted_at = now
        self._allowed_fetches = allowed - 1 if allowed >= 1 else allowed
        return allowed >= 1

    async def _replace_keys(self) -> None:
        try:
            # An empty set replaces them too: withdrawn keys must not count for another day.
            self._keys = read_key_set(await self._fetch(), self._algorithms)
            self._fetched_at, self._failure = self._clock(), None
            logger.info("keys replaced usable=%d", len(self._keys))
        except ValueError as problem:
            self._failure = ProviderUnavailable("keys")
            logger.warning("keys cannot be used age=%.0f reason=%s", self._age(), problem)
        except ProviderUnavailable as failure:
            self._failure = failure
            logger.warning("keys not replaced age=%.0f reason=%s", self._age(), failure.reason)
        finally:
            self._pending = None
        REFRESHES.labels("ok" if self._failure is None else self._failure.reason).inc()


def read_key_set(raw: bytes, algorithms: Set[str]) -> list[VerificationKey]:
    """Read a JWK set (RFC 7517, section 5) and return its usable keys.

    Raises `ValueError` when it is no set, or one that must not be used. The text quotes no key.
    """
    listed = parse_object(raw).get("keys")
    if not isinstance(listed, list):
        raise ValueError("the document holds no list of keys")
    # An entry that is not an object becomes `{}`, which is left out as unusable.
    members = [member if isinstance(member, dict) else {} for member in listed]
    check_no_private_key(members)
    check_names_are_unique(members)
    usable: list[VerificationKey] = []
    for member in members:
        try:
            usable += read_key(member, algorithms)
        except Exception as problem:  # noqa: BLE001 - python-jose documents none
            logger.warning("key left out kid=%.40r reason=%s", member.get("kid"), problem)
    return usable


def check_no_private_key(members: Iterable[Mapping[str, object]]) -> None:
    """Refuse a set that shows a private key: any reader of the set can sign with it."""
    if any(not _PRIVATE.isdisjoint(member) for member in members):
        raise ValueError("the set shows a private key")


def check_names_are_unique(members: Iterable[Mapping[str, object]]) -> None:
    """Refuse a set in which two keys have one name, as a token may mean either."""
    names = [name for member in members if isinstance(name := member.get("kid"), str)]
    if len(names) > len(set(names)):
        raise ValueError("two keys have the same name")


def read_key(member: Mapping[str, object], algorithms: Set[str]) -> list[VerificationKey]:
    """Return a key once for every algorithm that it may be used with. Raises `ValueError`."""
    check_purpose(member)
    key_id = member.get("kid")
    if not isinstance(key_id, str | None):
        raise ValueError("its kid is not text")
    names = [name for name in sorted(algorithms) if is_for(member, name)]
    if not names:
        kind = "EdDSA" if member.get("kty") == "OKP" else member.get("kty")
        named = member.get("alg") or kind
        raise ValueError(f"{named!s:.20} is not supported, or not in JWT_ALGORITHMS")
    return [VerificationKey(key_id or None, name, build(member, name)) for name in names]


def check_purpose(member: Mapping[str, object]) -> None:
    """Refuse a key that its owner does not sign tokens with (RFC 7517, sections 4.2 and 4.3)."""
    use, operations = member.get("use", "sig"), member.get("key_ops", ["verify"])
    if use != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("it is not for verifying signatures")


def is_for(member: Mapping[str, object], algorithm: str) -> bool:
    """Tell whether a key has the kind and the curve of `algorithm`, and names no other one."""
    kind = member.get("kty"), member.get("crv")
    return kind == _KINDS.get(algorithm, ("RSA", None)) and member.get("alg") in (None, algorithm)


def build(member: Mapping[str, object], algorithm: str) -> Key:
    """Build a key on `cryptography`: python-jose's own arithmetic is slow and leaks timing."""
    check_numbers(member)
    if member["kty"] == "EC":
        return CryptographyECKey(member, algorithm)
    key = CryptographyRSAKey(member, algorithm)
    numbers = key.prepared_key.public_numbers()
    check_rsa_strength(numbers.n, numbers.e)
    return key


def check_numbers(member: Mapping[str, object]) -> None:
    """Refuse numbers that are not base64url (RFC 7518, section 2): python-jose reads anything."""
    for name in ("n", "e") if member["kty"] == "RSA" else ("x", "y"):
        value = member.get(name)
        if not isinstance(value, str) or not re.fullmatch("[A-Za-z0-9_-]+=*", value):
            raise ValueError(f"its {name} is not base64url")


def check_rsa_strength(modulus: int, exponent: int) -> None:
    """Refuse an RSA key that is too weak, or that costs too much (NIST SP 800-131A)."""
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS:
        raise ValueError("its modulus has too few bits, or too many")
    if not 65_537 <= exponent < 2**32:
        raise ValueError("its exponent is not one that is in use")
