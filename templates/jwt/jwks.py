"""The issuer's keys, and how they stay fresh.

A set of keys is replaced as a whole. Whatever the issuer's address answers, the last good set stays
until there is a better one, or until it is too old to be believed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence, Set

from app.auth.errors import InvalidToken, ProviderUnavailable
from app.auth.jwk import UnusableKey, VerificationKey, read_key_set
from app.auth.jws import SignedToken

logger = logging.getLogger("app.auth.jwks")

REFRESH_AGE = 480
"""Seconds after which keys in use are fetched again behind the scenes."""
LIFETIME = 600
"""Seconds after which a request waits for fresh keys. Hydra's own answer, `no-store`, would have
every request fetch them."""
HARD_LIMIT = 86_400
"""Seconds that keys are used while the issuer does not answer. Then nothing is accepted."""
COOLDOWN = 30
"""Seconds from one attempt to fetch keys to the next: tokens cannot cause a flood of them."""
COLD_COOLDOWN = 5
"""The same while there are no keys at all, and every request waits for them."""
MAX_CANDIDATES = 4
"""Keys that one signature is tried with."""


class KeySet:
    """The keys of one issuer. `fetch` returns the document, or raises `ProviderUnavailable`.

    `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        algorithms: Set[str],
        clock: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._algorithms = algorithms
        self._clock = clock
        self._keys: Sequence[VerificationKey] = ()
        self._fetched_at = float("-inf")
        self._attempted_at = float("-inf")
        self._failure: ProviderUnavailable | None = None
        self._flight: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to fetch the keys, without waiting: the service starts without its issuer too."""
        self._start_flight()

    def close(self) -> None:
        """Give up a fetch that is under way."""
        if self._flight is not None:
            self._flight.cancel()

    async def verify(self, token: SignedToken) -> None:
        """Return when one of the issuer's keys signed `token`.

        Raises `InvalidToken` when none did, `ProviderUnavailable` when there are no keys to try.
        """
        await self.keep_fresh()
        if signed_by_one(self._keys, token):
            return
        if self._flight is None and not self._may_fetch():
            raise InvalidToken("signature")
        # The issuer may have a new key since the last time: it signs at once with a new one.
        await self.refresh()
        if not signed_by_one(self._keys, token):
            raise InvalidToken("signature")

    async def keep_fresh(self, patience: float = LIFETIME) -> None:
        """Have keys that may be used, and fetch them again where they are old.

        Keys that are older than `patience` (seconds) are worth waiting for. Raises
        `ProviderUnavailable` when there are none, or none that can still be believed.
        """
        age = self._age()
        if age < REFRESH_AGE:
            return
        if self._flight is None and self._may_fetch():
            self._start_flight()
        # During an outage only the first request waits for it; later ones go on with what there is.
        if self._flight is not None and (
            age >= HARD_LIMIT or (age >= patience and self._failure is None)
        ):
            await self.refresh()
        if self._age() >= HARD_LIMIT:
            raise self._unavailable()

    async def refresh(self) -> None:
        """Fetch the keys, together with everybody else who wants them. Keeps them on a failure."""
        # Shielded: a caller who goes away must not take the keys of all others along.
        await asyncio.shield(self._flight or self._start_flight())

    def _age(self) -> float:
        return _since(self._fetched_at, self._clock())

    def _may_fetch(self) -> bool:
        pause = COOLDOWN if self._keys else COLD_COOLDOWN
        return _since(self._attempted_at, self._clock()) >= pause

    def _unavailable(self) -> ProviderUnavailable:
        if self._failure is None:
            return ProviderUnavailable("no_keys")
        return ProviderUnavailable("no_keys", self._failure.retry_after, self._failure.lacks)

    def _start_flight(self) -> asyncio.Task[None]:
        self._attempted_at = self._clock()
        self._flight = asyncio.create_task(self._replace_keys())
        return self._flight

    async def _replace_keys(self) -> None:
        try:
            self._keys = read_key_set(await self._fetch(), self._algorithms)
            self._fetched_at, self._failure = self._clock(), None
            logger.info("keys replaced usable=%d", len(self._keys))
        except UnusableKey as problem:
            self._failure = ProviderUnavailable("keys", lacks=f"a usable key: {problem}")
            logger.warning("keys not replaced age=%.0f reason=%s", self._age(), problem)
        except ProviderUnavailable as problem:
            self._failure = problem
            logger.warning("keys not replaced age=%.0f reason=%s", self._age(), problem.reason)
        finally:
            self._flight = None


def _since(then: float, now: float) -> float:
    """Return the seconds from `then` to `now`: for ever, when the clock was set back meanwhile."""
    return now - then if now >= then else float("inf")


def signed_by_one(keys: Iterable[VerificationKey], token: SignedToken) -> bool:
    """Tell whether one of the keys that may have signed `token` did."""
    for key in candidates(keys, token):
        if key.verifies(token.signing_input, token.signature):
            return True
    return False


def candidates(keys: Iterable[VerificationKey], token: SignedToken) -> list[VerificationKey]:
    """Return the keys to try: the one that the token names, then others of its algorithm.

    A token that Hydra refreshed after a rotation names the old key and is signed by the new one.
    A token that names a key which is not there is tried with none.
    """
    named: list[VerificationKey] = []
    others: list[VerificationKey] = []
    for key in keys:
        if key.algorithm == token.header.algorithm:
            (named if key.key_id == token.header.key_id else others).append(key)
    if token.header.key_id is not None and not named:
        return []
    return (named + others)[:MAX_CANDIDATES]
