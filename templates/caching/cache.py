"""Remembers what the identity provider said about a token, so that it is not asked every time.

What is remembered is the answer, never a decision: the policy and the scopes are asked again each
time. An answer is believed for `CACHE_TTL` from when its question was sent, and never after `exp`.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from cachetools import TLRUCache

from app.auth.answers import Answer, MemoryStore, Store
from app.auth.claims import Claims, TokenVerifier
from app.auth.counters import Counters, report, report_regularly
from app.auth.errors import AuthError, InvalidToken, ProviderUnavailable
from app.settings import CacheSettings
from app.urls import is_private

logger = logging.getLogger("app.auth.cache")

MEMORY = "memory://"
DOMAIN = "answer about an access token, 1"
"""Told apart from every other use of SHA-256, so that no other hash of a token is a key here."""


class Flight:
    """A question to the provider that is under way, for everybody who waits for its answer."""

    __slots__ = ("asked_at", "outcome")

    outcome: asyncio.Task[Claims | AuthError]

    def __init__(self, asked_at: float) -> None:
        self.asked_at = asked_at


class CachedVerifier:
    """Answers with what `inner` said a while ago, and asks it about the rest, once for all.

    `authority` names whoever answers: the same token means nothing to another one. `clock` gives
    seconds since 1970.
    """

    def __init__(
        self,
        inner: TokenVerifier,
        store: Store,
        settings: CacheSettings,
        authority: tuple[str, ...],
        clock: Callable[[], float],
        counters: Counters,
    ) -> None:
        self._inner = inner
        self._store = store
        self._ttl = settings.cache_ttl
        self._clock = clock
        self._counters = counters
        self._keys = hashlib.sha256("\0".join((DOMAIN, *authority, "")).encode())
        # Apart from the good answers: junk tokens, however many, push out nothing but each other.
        self._refused: TLRUCache[str, float] = TLRUCache(
            settings.cache_max_entries,
            lambda _, asked_at, __: asked_at + settings.cache_negative_ttl,
            clock,
        )
        self._flights: dict[str, Flight] = {}
        # Also those that nobody waits for any more: the event loop itself does not hold on to them.
        self._under_way: set[asyncio.Task[Claims | AuthError]] = set()

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return what the provider says about `token`, or said lately.

        With `max_age` (seconds) the answer is to a question asked within that time; 0 asks now.
        Raises what the provider's verifier raises.
        """
        if self._ttl == 0:
            max_age = 0
        key = self._key_of(token)
        now = self._clock()
        # Not first `in` and then taken: between the two it may expire.
        refused_at = self._refused.get(key)
        if refused_at is not None and (max_age is None or refused_at > now - max_age):
            self._counters.negative_hits += 1
            raise InvalidToken("inactive")
        answer = await self._store.get(key)
        since = now - (self._ttl if max_age is None else min(max_age, self._ttl))
        if answer is not None and self._holds(answer, since, now):
            self._counters.hits += 1
            return answer.claims
        flight = self._flights.get(key)
        if flight is not None and flight.asked_at > since:
            self._counters.coalesced += 1
        else:
            if max_age is None:
                self._counters.misses += 1
            else:
                self._counters.bypassed += 1
            flight = self._start(key, token, is_known=answer is not None)
        # Shielded: whoever goes away takes the answer from nobody else.
        outcome = await asyncio.shield(flight.outcome)
        if isinstance(outcome, AuthError):
            raise outcome.with_traceback(None)
        return outcome

    async def check(self) -> None:
        """Raise `ProviderUnavailable` unless tokens can be verified now."""
        await self._inner.check()

    def _key_of(self, token: str) -> str:
        """Return what an answer about `token` is remembered under: a hash, in hex."""
        digest = self._keys.copy()
        digest.update(token.encode())
        return digest.hexdigest()

    def close(self) -> None:
        """Give up the questions that are under way."""
        for task in self._under_way:
            task.cancel()

    def _holds(self, answer: Answer, since: float, now: float) -> bool:
        # `asked_at` lies ahead when a clock was set back: how old the answer is, nobody knows then.
        return since < answer.asked_at <= now < answer.until(self._ttl)

    def _start(self, key: str, token: str, *, is_known: bool) -> Flight:
        flight = self._flights[key] = Flight(self._clock())
        flight.outcome = asyncio.create_task(self._fly(flight, key, token, is_known))
        self._under_way.add(flight.outcome)
        flight.outcome.add_done_callback(self._under_way.discard)
        return flight

    async def _fly(
        self, flight: Flight, key: str, token: str, is_known: bool
    ) -> Claims | AuthError:
        outcome: Claims | AuthError
        try:
            try:
                outcome = await self._inner.verify(token)
            except AuthError as refusal:
                outcome = refusal
            # A later question has the better answer.
            if self._flights.get(key) is flight:
                await self._learn(key, outcome, flight.asked_at, is_known)
            return outcome
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]

    async def _learn(
        self,
        key: str,
        outcome: Claims | AuthError,
        asked_at: float,
        is_known: bool,
    ) -> None:
        if isinstance(outcome, Claims):
            self._refused.pop(key, None)
            if Answer(outcome, asked_at).until(self._ttl) > self._clock():
                await self._store.set(key, Answer(outcome, asked_at))
        elif not isinstance(outcome, ProviderUnavailable):  # which says nothing about the token
            if is_clear_no(outcome):
                self._refused[key] = asked_at
            if is_known:
                await self._store.delete(key)


def is_clear_no(refusal: AuthError) -> bool:
    """Tell whether the provider itself said that the token is not active."""
    return refusal.reason == "inactive"


@asynccontextmanager
async def open_cache(
    inner: TokenVerifier,
    settings: CacheSettings,
    authority: tuple[str, ...],
    time_limit: float,
    clock: Callable[[], float],
) -> AsyncIterator[CachedVerifier]:
    """Open what remembers the answers of `inner`, for the life of the service.

    `time_limit` (seconds) is what one call to the provider may take: asking a store must take far
    less.
    """
    counters = Counters()
    async with open_store(settings, authority, time_limit, clock, counters) as store:
        verifier = CachedVerifier(inner, store, settings, authority, clock, counters)
        reports = asyncio.create_task(report_regularly(counters, store.size))
        try:
            yield verifier
        finally:
            reports.cancel()
            verifier.close()
            report(counters, store.size())


@asynccontextmanager
async def open_store(
    settings: CacheSettings,
    authority: tuple[str, ...],
    time_limit: float,
    clock: Callable[[], float],
    counters: Counters,
) -> AsyncIterator[Store]:
    """Open the store that `CACHE_URL` names. The arguments are those of `open_cache`."""
    url = settings.cache_url.get_secret_value()
    if url == MEMORY:
        logger.info("answers are remembered in this process, each process for itself")
        yield MemoryStore(settings.cache_max_entries, settings.cache_ttl, clock, counters)
        return
    # Imported where it is wanted: it takes a fifth of the time that the service needs to start.
    from app.auth.redis_store import open_redis

    host = urlsplit(url).hostname or ""
    if url.startswith("redis://") and not is_private(host):
        logger.warning("answers cross a public network in clear: set CACHE_URL to rediss://")
    logger.info("answers are remembered in Redis, for every process that asks there")
    async with open_redis(url, authority, settings.cache_ttl, time_limit, clock, counters) as store:
        yield store
