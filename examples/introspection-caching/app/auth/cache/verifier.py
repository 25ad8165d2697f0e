"""Caches what the provider returned for a token, so that most requests make no call.

What is cached is the provider's result, never a decision: the policy and the scopes are checked at
every request.
"""

import asyncio
import hashlib
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from app.auth.cache.identity import key_parts
from app.auth.cache.memory import LOOKUPS, CacheEntry, MemoryStore, is_recent
from app.auth.claims import Claims, TokenVerifier
from app.auth.errors import AuthError, InvalidToken
from app.settings import Settings

if TYPE_CHECKING:
    from app.auth.cache.redis_store import RedisStore

logger = logging.getLogger("app.auth.cache")

DOMAIN = "cached result for an access token, 3"
"""Separates the keys from every other use of SHA-256 on a token. The number is the version of the
entries in Redis."""
HIT = LOOKUPS.labels("hit")
NEGATIVE_HIT = LOOKUPS.labels("negative_hit")
COALESCED = LOOKUPS.labels("coalesced")
MISS = LOOKUPS.labels("miss")
BYPASSED = LOOKUPS.labels("bypassed")


class PendingCall(NamedTuple):
    """A call in flight. `sent_at` in seconds since 1970."""

    sent_at: float
    task: asyncio.Task[Claims | AuthError]


@dataclass(eq=False)
class CachedVerifier:
    """Returns cached results of another verifier, and calls it once for all concurrent callers.

    If the call in flight is too old for a caller, another one starts. From then on only the result
    of the newer one is stored. `clock` in seconds since 1970.
    """

    inner: TokenVerifier
    settings: Settings
    clock: Callable[[], float]
    redis: "RedisStore | None" = None

    def __post_init__(self) -> None:
        self._memory = MemoryStore(self.settings, self.clock)
        self._newest: dict[str, PendingCall] = {}
        # The event loop itself keeps no strong reference to a task.
        self._tasks: set[asyncio.Task[Claims | AuthError]] = set()

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return the claims of `token`, from the cache or from the provider.

        With `max_age` (seconds) the call was sent within that time; 0 bypasses the cache, and the
        result is stored all the same. Raises what the other verifier raises.
        """
        limit = math.inf if max_age is None else max_age
        key = self.key_of(token)
        entry = self._memory.get(key)
        if entry is None and limit > 0:
            entry = await self._read(key)
        now = self.clock()
        if entry is not None and is_recent(entry.sent_at, limit, now):
            if entry.claims is not None:
                HIT.inc()
                return entry.claims
            if is_recent(entry.sent_at, self.settings.cache_negative_ttl, now):
                NEGATIVE_HIT.inc()
                raise InvalidToken("inactive")
        pending = self._newest.get(key)
        call_limit = min(limit, self.settings.cache_ttl)
        if pending is not None and is_recent(pending.sent_at, call_limit, now):
            COALESCED.inc()
        else:
            (MISS if max_age is None else BYPASSED).inc()
            pending = self._start(token, key, now)
        # Shielded: one caller's cancellation must not cancel the shared call.
        result = await asyncio.shield(pending.task)
        if isinstance(result, AuthError):
            raise result.with_traceback(None)
        return result

    def key_of(self, token: str) -> str:
        """Return the key of the entry of `token`: a hash, in hex."""
        parts = (DOMAIN, *key_parts(self.settings, token))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def close(self) -> None:
        """Cancel all calls."""
        for task in self._tasks:
            task.cancel()

    async def _read(self, key: str) -> CacheEntry | None:
        """Return the entry that another process stored, if there is one."""
        entry = None if self.redis is None else await self.redis.get(key)
        # Not in place of an entry that was set during the round trip: that one is newer.
        if entry is not None and self._memory.get(key) is None:
            self._memory.set(entry)
        return self._memory.get(key)

    def _start(self, token: str, key: str, sent_at: float) -> PendingCall:
        """Start a call, which goes on even if all its callers go away."""

        async def call() -> Claims | AuthError:
            try:
                result: Claims | AuthError = await self.inner.verify(token)
            except AuthError as refusal:
                result = refusal
            if self._newest.get(key) is pending:
                await self._store(key, sent_at, result)
            return result

        def end(task: asyncio.Task[Claims | AuthError]) -> None:
            self._tasks.discard(task)
            if self._newest.get(key) is pending:
                del self._newest[key]

        pending = self._newest[key] = PendingCall(sent_at, asyncio.create_task(call()))
        self._tasks.add(pending.task)
        pending.task.add_done_callback(end)
        return pending

    async def _store(self, key: str, sent_at: float, result: Claims | AuthError) -> None:
        if isinstance(result, Claims):
            entry = CacheEntry(key=key, sent_at=sent_at, claims=result)
            self._memory.set(entry)
            if self.redis is not None:
                await self.redis.set(entry)
        elif isinstance(result, InvalidToken):  # and not `ProviderUnavailable`
            if result.reason == "inactive":
                self._memory.set(CacheEntry(key=key, sent_at=sent_at, claims=None))
            else:  # The cause may be temporary, so this refusal is not cached.
                self._memory.delete(key)
            if self.redis is not None:
                await self.redis.delete(key)


@asynccontextmanager
async def open_cache(
    inner: TokenVerifier, settings: Settings, clock: Callable[[], float]
) -> AsyncIterator[TokenVerifier]:
    """Open a cache around `inner` while the block lasts."""
    if settings.cache_ttl == 0:
        yield inner
        return
    async with AsyncExitStack() as stack:
        redis = None
        if settings.cache_url.get_secret_value() == "memory://":
            logger.info("cache in memory: each process has its own")
        else:
            # Imported only if needed: it takes a fifth of the time that the service needs to start.
            from app.auth.cache.redis_store import open_redis

            redis = await stack.enter_async_context(open_redis(settings, clock))
        yield stack.enter_context(closing(CachedVerifier(inner, settings, clock, redis)))
