"""Cache entries in Redis, shared by all processes that use it.

Redis sees hashes of tokens and claims, never a token. If it is slow, down or holds something else,
that is a miss.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import ResponseError

from app.auth.cache.memory import STORE_ERROR, CacheEntry
from app.auth.claims import parse_object
from app.environment import is_private
from app.settings import CacheSettings

logger = logging.getLogger("app.auth.cache")

PREFIX = "access-token:"
MAX_SIZE = 131_072  # bytes of a value that is parsed: twice the largest response of a provider
TIME_LIMIT = 0.2  # seconds for one command, with the wait for a connection
PAUSE = 2.0  # seconds without commands after a failure, so that requests do not wait in turn
LOG_INTERVAL = 60.0  # seconds between two log lines about failures


class RedisStore:
    """Reads and writes entries of valid tokens. Never raises: failures are counted and logged.

    `ttl` in seconds, `clock` since 1970.
    """

    def __init__(self, client: Redis, ttl: float, clock: Callable[[], float]) -> None:
        self._client = client
        self._ttl = ttl
        self._clock = clock
        self._replies = 0
        self._failed_at = self._logged_at = float("-inf")

    async def get(self, key: str) -> CacheEntry | None:
        raw = await self._run(lambda: self._client.get(PREFIX + key))
        return decode(raw, key, self._clock()) if isinstance(raw, bytes) else None

    async def set(self, entry: CacheEntry) -> None:
        remaining = int((entry.expires_at(self._ttl) - self._clock()) * 1000)
        if remaining > 0:
            with suppress(ValueError):  # claims that are nested too deeply
                raw = entry.model_dump_json(by_alias=True, exclude_none=True, fallback=dict)
                await self._run(lambda: self._client.set(PREFIX + entry.key, raw, px=remaining))

    async def delete(self, key: str) -> None:
        await self._run(lambda: self._client.delete(PREFIX + key))

    async def _run(self, command: Callable[[], Awaitable[object]]) -> object:
        """Return the reply, or `None` if there is none in time."""
        if 0 <= self._clock() - self._failed_at < PAUSE:
            return None
        replies = self._replies
        try:
            async with asyncio.timeout(TIME_LIMIT):
                reply = await command()
        except Exception as error:  # noqa: BLE001 - a server that is no Redis makes it raise anything
            # After an error reply, the next command may succeed. If other commands got a reply
            # meanwhile, this process is slow and not Redis.
            if not isinstance(error, ResponseError) and self._replies == replies:
                self._failed_at = self._clock()
            STORE_ERROR.inc()
            if not 0 <= self._clock() - self._logged_at < LOG_INTERVAL:
                self._logged_at = self._clock()
                logger.warning("Redis failed, going on without it reason=%s", type(error).__name__)
            return None
        self._replies += 1
        return reply


def decode(raw: bytes, key: str, now: float) -> CacheEntry | None:
    """Return the entry of `key`, or `None` if the bytes are anything else.

    They are not trusted: they may be an entry of another key, or of the future. `now` in seconds
    since 1970.
    """
    if len(raw) > MAX_SIZE:
        return None
    try:
        entry = CacheEntry.model_validate(parse_object(raw))
    except ValueError:
        return None
    is_ours = entry.key == key and entry.claims is not None and entry.sent_at <= now
    return entry if is_ours else None


@asynccontextmanager
async def open_redis(
    settings: CacheSettings, clock: Callable[[], float]
) -> AsyncIterator[RedisStore]:
    """Open the store. Does not wait for Redis: the service starts without it too."""
    url = settings.cache_url.get_secret_value()
    if url.startswith("redis://") and not is_private(urlsplit(url).hostname or ""):
        logger.warning("claims cross a public network in clear: set CACHE_URL to rediss://")
    # No time limit of its own: with Python 3.11 it swallows the cancellation by ours.
    pool = BlockingConnectionPool.from_url(url, max_connections=20, socket_timeout=None, protocol=2)
    async with Redis.from_pool(pool) as client:
        yield RedisStore(client, settings.cache_ttl, clock)
