"""Cache entries in Redis, shared by all processes that use it, with memory in front.

Redis sees hashes of tokens and claims, never a token. If it is slow, down or holds something else,
that is a miss.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from app.auth.cache.store import CacheEntry, MemoryStore, decode, encode
from app.settings import CacheSettings

logger = logging.getLogger("app.auth.cache")

PREFIX = "access-token:"
MAX_CONNECTIONS = 20
MAX_WAIT = 0.2
"""Seconds for one command, or a tenth of the time limit of a call to the provider if less."""
PAUSE = 2.0
"""Seconds without commands after a failure, so that requests do not wait for it in turn."""
LOG_INTERVAL = 60.0
"""Seconds between two log lines about failures."""


class RedisStore(MemoryStore):
    """Keeps in Redis too what is in memory, so that a second hit costs no round trip.

    It never raises. `time_limit` of a command in seconds, `clock` in seconds since 1970.
    """

    def __init__(
        self,
        settings: CacheSettings,
        clock: Callable[[], float],
        client: Redis,
        time_limit: float,
    ) -> None:
        super().__init__(settings, clock)
        self._client = client
        self._time_limit = time_limit
        self._replies = 0
        self._failed_at = self._logged_at = float("-inf")

    async def get(self, key: str) -> CacheEntry | None:
        known = await super().get(key)
        if known is not None:
            return known
        raw = await self._run(partial(self._client.get, PREFIX + key))
        entry = decode(raw, key, self._clock()) if isinstance(raw, bytes) else None
        # Not in place of an entry that was set during the round trip: that one is newer.
        if entry is not None and await super().get(key) is None:
            await super().set(key, entry)
        return entry

    async def set(self, key: str, entry: CacheEntry) -> None:
        await super().set(key, entry)
        raw = encode(entry, key)
        remaining = int((entry.expires_at(self._ttl) - self._clock()) * 1000)
        if raw is not None and remaining > 0:
            await self._run(partial(self._client.set, PREFIX + key, raw, px=remaining))

    async def delete(self, key: str) -> None:
        await super().delete(key)
        await self._run(partial(self._client.delete, PREFIX + key))

    async def _run(self, command: Callable[[], Awaitable[object]]) -> object:
        """Return the reply, or `None` if there is none in time."""
        if 0 <= self._clock() - self._failed_at < PAUSE:
            return None
        replies = self._replies
        try:
            async with asyncio.timeout(self._time_limit):
                reply = await command()
        except Exception as error:  # noqa: BLE001 - a server that is no Redis makes it raise anything
            # After an error reply, the next command may succeed. If other commands got a reply
            # meanwhile, this process is slow and not Redis.
            if not isinstance(error, ResponseError) and self._replies == replies:
                self._failed_at = self._clock()
            self._note(error)
            return None
        self._replies += 1
        return reply

    def _note(self, error: Exception) -> None:
        self.counts["store_errors"] += 1
        if not 0 <= self._clock() - self._logged_at < LOG_INTERVAL:
            self._logged_at = self._clock()
            logger.warning("Redis failed, calling the provider reason=%s", type(error).__name__)


@asynccontextmanager
async def open_redis(
    settings: CacheSettings, clock: Callable[[], float], time_limit: float
) -> AsyncIterator[RedisStore]:
    """Open the store. Does not wait for Redis: the service starts without it too.

    `time_limit` of a call to the provider in seconds.
    """
    limit = min(MAX_WAIT, time_limit / 10)
    pool = BlockingConnectionPool.from_url(
        settings.cache_url.get_secret_value(),
        max_connections=MAX_CONNECTIONS,
        timeout=limit,
        socket_timeout=limit,
        socket_connect_timeout=limit,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    client = Redis(connection_pool=pool)
    try:
        yield RedisStore(settings, clock, client, limit)
    finally:
        await client.aclose()
        await pool.aclose()
