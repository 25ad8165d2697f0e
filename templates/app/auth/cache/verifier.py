"""Caches what the provider returned for a token, so that most requests make no call.

What is cached is the provider's result, never a decision: the policy and the scopes are checked at
every request.
"""

import hashlib
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from cachetools import TLRUCache

from app.auth.cache.identity import canonical_token
from app.auth.cache.single_flight import SingleFlight
from app.auth.cache.store import CacheEntry, MemoryStore
from app.auth.claims import Claims, TokenVerifier
from app.auth.errors import AuthError, InvalidToken, ProviderUnavailable
from app.environment import is_private
from app.settings import CacheSettings

logger = logging.getLogger("app.auth.cache")

DOMAIN = "cached result for an access token, 2"
"""Separates the keys from every other use of SHA-256 on a token."""


class CachedVerifier:
    """Returns cached results of another verifier, and calls it once for all concurrent callers.

    `identity` keeps entries of different providers and clients apart. `clock` is in seconds since
    1970.
    """

    def __init__(
        self,
        inner: TokenVerifier,
        store: MemoryStore,
        settings: CacheSettings,
        identity: tuple[str, ...],
        clock: Callable[[], float],
    ) -> None:
        self.check = inner.check
        self._inner = inner
        self._store = store
        self._ttl = settings.cache_ttl
        self._negative_ttl = settings.cache_negative_ttl
        self._clock = clock
        self._counts = store.counts
        self._key_hash = hashlib.sha256("\0".join((DOMAIN, *identity, "")).encode())
        self._calls = SingleFlight(self._store_result)
        # When the call was sent that found a token inactive. Apart from the entries, so that junk
        # evicts no valid token. Kept for as long as an entry can live, as an older one may still
        # come from another process.
        kept = max(settings.cache_ttl, settings.cache_negative_ttl)
        self._inactive: TLRUCache[str, float] = TLRUCache(
            settings.cache_max_entries, lambda _, sent_at, __: sent_at + kept, clock
        )

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return the claims of `token`, from the cache or from the provider.

        With `max_age` (seconds) the call was sent within that time; 0 bypasses the cache, and the
        result is stored all the same. Raises what the other verifier raises.
        """
        limit = 0.0 if self._ttl == 0 else math.inf if max_age is None else max_age
        key = self.key_of(token)
        entry = await self._store.get(key) if limit > 0 else None
        now = self._clock()
        # `in` costs a fraction of `get`, and most keys are not there.
        inactive_at = self._inactive.get(key) if key in self._inactive else None
        if inactive_at is not None and is_recent(inactive_at, min(limit, self._negative_ttl), now):
            self._counts["negative_hits"] += 1
            raise InvalidToken("inactive")
        limit = min(limit, self._ttl)
        if entry is not None and is_recent(entry.sent_at, limit, now):
            is_older = inactive_at is not None and entry.sent_at <= inactive_at
            if now < entry.expires_at(self._ttl) and not is_older:
                self._counts["hits"] += 1
                return entry.claims
        pending = self._calls.newest(key)
        if pending is not None and is_recent(pending.sent_at, limit, now):
            self._counts["coalesced"] += 1
        else:
            self._counts["misses" if max_age is None else "bypassed"] += 1
            pending = self._calls.start(key, now, partial(self._call, token))
        result = await pending.result()
        if isinstance(result, AuthError):
            raise result.with_traceback(None)
        return result

    def close(self) -> None:
        """Cancel the calls in flight."""
        self._calls.cancel()

    def key_of(self, token: str) -> str:
        """Return the key of the entry of `token`: a hash, in hex."""
        key = self._key_hash.copy()
        key.update(canonical_token(token).encode())
        return key.hexdigest()

    async def _call(self, token: str) -> Claims | AuthError:
        try:
            return await self._inner.verify(token)
        except AuthError as refusal:
            return refusal

    async def _store_result(self, key: str, sent_at: float, result: Claims | AuthError) -> None:
        if isinstance(result, Claims):
            self._inactive.pop(key, None)
            await self._store.set(key, CacheEntry(result, sent_at))
        elif not isinstance(result, ProviderUnavailable):  # which says nothing about the token
            # Other refusals may end sooner, such as a signature by a key that is not known yet.
            if result.reason == "inactive":
                self._inactive[key] = sent_at
            await self._store.delete(key)


def is_recent(sent_at: float, limit: float, now: float) -> bool:
    """Tell whether a call was sent less than `limit` seconds ago."""
    # After a clock was set back, `sent_at` may lie ahead. Then the age is unknown.
    return now - limit < sent_at <= now


@asynccontextmanager
async def open_cache(
    inner: TokenVerifier,
    settings: CacheSettings,
    identity: tuple[str, ...],
    time_limit: float,
    clock: Callable[[], float],
) -> AsyncIterator[CachedVerifier]:
    """Open a cache around `inner` while the block lasts. Its counts are logged at the end.

    `time_limit` (seconds) is that of a call to the provider: a store must be much faster.
    """
    url = settings.cache_url.get_secret_value()
    async with AsyncExitStack() as stack:
        if url == "memory://":
            store = MemoryStore(settings, clock)
            logger.info("cache in memory: each process has its own")
        else:
            # Imported only if needed: it takes a fifth of the time that the service needs to start.
            from app.auth.cache.redis_store import open_redis

            if url.startswith("redis://") and not is_private(urlsplit(url).hostname or ""):
                logger.warning("claims cross a public network in clear: set CACHE_URL to rediss://")
            logger.info("cache in Redis, shared by its processes, and in the memory of each")
            store = await stack.enter_async_context(open_redis(settings, clock, time_limit))
        verifier = CachedVerifier(inner, store, settings, identity, clock)
        stack.callback(verifier.close)
        yield verifier
    logger.info("cache %s", " ".join(f"{name}={count}" for name, count in store.counts.items()))
