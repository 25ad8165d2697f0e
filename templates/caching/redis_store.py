"""Answers in Redis, for all processes that ask there.

Redis sees hashes of tokens and what the provider said about them, never a token. It may be slow,
gone, or full of other things: then the provider is asked, as if nothing were remembered.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from app.auth.answers import Answer, decode, encode
from app.auth.counters import Counters

logger = logging.getLogger("app.auth.cache")

Result = TypeVar("Result")

MAX_CONNECTIONS = 20
LONGEST_WAIT = 0.2
"""Seconds for one command, or a tenth of what a call to the provider may take if that is less."""
PAUSE = 2.0
"""Seconds that Redis is left alone after it failed: requests must not all wait for it in turn."""
SILENCE = 60.0
"""Seconds from one line about a failure to the next."""


class StoreUnavailable(Exception):
    """Redis did not do what it was told. The text names the kind of failure, no value."""


class RedisStore:
    """Keeps answers in Redis, apart from those of another authority. See `Store`.

    `lifetime` and `time_limit` in seconds, `clock` in seconds since 1970.
    """

    def __init__(
        self,
        client: Redis,
        authority: tuple[str, ...],
        lifetime: float,
        time_limit: float,
        clock: Callable[[], float],
        counters: Counters,
    ) -> None:
        self._client = client
        self._prefix = f"answers:{hashlib.sha256(repr(authority).encode()).hexdigest()[:16]}:"
        self._lifetime = lifetime
        self._time_limit = time_limit
        self._clock = clock
        self._counters = counters
        self._answered = 0
        self._failed_at = float("-inf")
        self._logged_at = float("-inf")

    async def get(self, key: str) -> Answer | None:
        async def read() -> bytes | None:
            return cast(bytes | None, await self._client.get(self._prefix + key))

        try:
            raw = await self._in_time(read)
        except StoreUnavailable:
            return None
        return None if raw is None else decode(raw, key, self._clock())

    async def set(self, key: str, answer: Answer) -> None:
        value = encode(answer, key)
        left = int((answer.until(self._lifetime) - self._clock()) * 1000)
        if left <= 0 or value is None:
            return

        async def write() -> None:
            await self._client.set(self._prefix + key, value, px=left)

        with suppress(StoreUnavailable):
            await self._in_time(write)

    async def delete(self, key: str) -> None:
        async def remove() -> None:
            await self._client.delete(self._prefix + key)

        with suppress(StoreUnavailable):
            await self._in_time(remove)

    def size(self) -> int | None:
        return None

    async def _in_time(self, operation: Callable[[], Awaitable[Result]]) -> Result:
        """Return the result of `operation`, or raise `StoreUnavailable`."""
        if 0 <= self._clock() - self._failed_at < PAUSE:
            raise StoreUnavailable("paused")
        answered = self._answered
        try:
            async with asyncio.timeout(self._time_limit):
                result = await operation()
        except Exception as error:  # noqa: BLE001 - what is not Redis makes its client raise anything
            # A command that it refuses says nothing about the next one; and where it answered
            # others meanwhile, it is this process that is slow.
            refused = isinstance(error, ResponseError)
            self._note(error, is_alive=refused or self._answered > answered)
            raise StoreUnavailable(type(error).__name__) from None
        self._answered += 1
        return result

    def _note(self, error: Exception, *, is_alive: bool) -> None:
        self._counters.store_errors += 1
        now = self._clock()
        if not is_alive:
            self._failed_at = now
        if not 0 <= now - self._logged_at < SILENCE:
            self._logged_at = now
            logger.warning("Redis failed, the provider is asked reason=%s", type(error).__name__)


@asynccontextmanager
async def open_redis(
    url: str,
    authority: tuple[str, ...],
    lifetime: float,
    time_limit: float,
    clock: Callable[[], float],
    counters: Counters,
) -> AsyncIterator[RedisStore]:
    """Open the answers at `url`, without waiting for Redis: the service starts without it too.

    `lifetime` of an answer and `time_limit` of a call to the provider in seconds.
    """
    limit = min(LONGEST_WAIT, time_limit / 10)
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=limit,
        socket_timeout=limit,
        socket_connect_timeout=limit,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    client = Redis(connection_pool=pool)
    try:
        yield RedisStore(client, authority, lifetime, limit, clock, counters)
    finally:
        await client.aclose()
        await pool.aclose()
