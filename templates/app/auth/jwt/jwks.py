"""The issuer's keys, and how they stay fresh.

A set of keys is replaced as a whole. If a fetch fails, the old set stays in use for up to a day.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence, Set

from app.auth.errors import InvalidToken, ProviderUnavailable
from app.auth.jwt.jwk import UnusableKey, VerificationKey, read_key_set
from app.auth.jwt.jws import SignedToken

logger = logging.getLogger("app.auth.jwt.jwks")

REFRESH_AGE = 480
"""Seconds after which keys in use are fetched again in the background."""
LIFETIME = 600
"""Seconds after which a request waits for fresh keys. Hydra sends `no-store`, which would cost a
fetch for each request."""
HARD_LIMIT = 86_400
"""Seconds that keys are used while the issuer does not answer. Then no token is accepted."""
MAX_FETCHES = 5
"""Fetches that tokens can cause at once, however many they are."""
FETCH_INTERVAL = 10
"""Seconds until one more fetch is allowed."""
MAX_CANDIDATES = 4
"""Keys that one signature is tried with."""


class FetchBudget:
    """Allows `MAX_FETCHES` at once and one more every `FETCH_INTERVAL` seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._full_at = clock()  # when all of `MAX_FETCHES` are allowed again

    def take(self) -> bool:
        """Tell whether a fetch is allowed now. If so, it counts."""
        now = self._clock()
        if not now < self._full_at <= now + MAX_FETCHES * FETCH_INTERVAL:
            self._full_at = now  # it is full, or the clock was set back
        if self._full_at > now + (MAX_FETCHES - 1) * FETCH_INTERVAL:
            return False
        self._full_at += FETCH_INTERVAL
        return True


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
        self._budget = FetchBudget(clock)
        self._keys: Sequence[VerificationKey] = ()
        self._fetched_at = float("-inf")
        self._failure: ProviderUnavailable | None = None
        self._pending: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to fetch the keys. The service starts without its issuer too."""
        self._pending = asyncio.create_task(self._replace_keys())

    def close(self) -> None:
        """Cancel a pending fetch."""
        if self._pending is not None:
            self._pending.cancel()

    async def verify(self, token: SignedToken) -> None:
        """Return when one of the issuer's keys signed `token`.

        Raises `InvalidToken` when none did, `ProviderUnavailable` when there are no keys to try.
        """
        await self.keep_fresh()
        if signed_by_one(self._keys, token):
            return
        # The issuer may have a new key. A fetch in flight may have begun before it had.
        if self._pending is not None:
            await asyncio.shield(self._pending)
            if signed_by_one(self._keys, token):
                return
        if (fetch := self._start_fetch()) is not None:
            await asyncio.shield(fetch)
        if not signed_by_one(self._keys, token):
            raise InvalidToken("signature")

    async def keep_fresh(self, patience: float = LIFETIME) -> None:
        """Fetch the keys again if they are old. Wait for it if they are older than `patience`.

        `patience` in seconds. Raises `ProviderUnavailable` when there are no keys, or when they are
        older than `HARD_LIMIT`.
        """
        age = self._age()
        if age < REFRESH_AGE:
            return
        fetch = self._start_fetch()
        # During an outage only the first request waits. Later ones use the keys at hand.
        waits = age >= HARD_LIMIT or (age >= patience and self._failure is None)
        if fetch is not None and waits:
            # Shielded: one caller's cancellation must not cancel the shared fetch.
            await asyncio.shield(fetch)
        if self._age() >= HARD_LIMIT:
            raise self._unavailable()

    def _age(self) -> float:
        """Return the seconds since the keys were fetched: infinite if there are none."""
        age = self._clock() - self._fetched_at
        # Negative when the clock was set back: then the real age is not known.
        return age if age >= 0 and self._keys else float("inf")

    def _unavailable(self) -> ProviderUnavailable:
        if self._failure is None:
            return ProviderUnavailable("no_keys")
        return ProviderUnavailable("no_keys", self._failure.retry_after)

    def _start_fetch(self) -> asyncio.Task[None] | None:
        """Return the pending fetch or a new one, `None` if the budget allows none."""
        if self._pending is None and self._budget.take():
            self.start()
        return self._pending

    async def _replace_keys(self) -> None:
        try:
            self._keys, problems = read_key_set(await self._fetch(), self._algorithms)
            self._fetched_at, self._failure = self._clock(), None
            logger.info("keys replaced usable=%d", len(self._keys))
            if not self._keys:
                # Keys that the issuer has withdrawn must not count for another day.
                self._fail("keys", "no key can be used: " + (", ".join(problems) or "no keys"))
        except UnusableKey as problem:
            self._fail("keys", str(problem))
        except ProviderUnavailable as problem:
            self._failure = problem
            logger.warning("keys not replaced age=%.0f reason=%s", self._age(), problem.reason)
        finally:
            self._pending = None

    def _fail(self, reason: str, problem: str) -> None:
        self._failure = ProviderUnavailable(reason)
        logger.warning("keys cannot be used age=%.0f reason=%s", self._age(), problem)


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
