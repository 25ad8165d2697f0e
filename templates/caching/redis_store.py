"""Answers in Redis, for all processes that ask there.

Redis sees hashes of tokens and what the provider said about them, never a token. It may be slow,
gone, or full of other things: then the provider is asked, as if nothing were remembered.
"""

import asyncio
import hashlib
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from app.auth.answers import Answer, Found, StoreUnavailable, decode, encode
from app.auth.counters import Counters

logger = logging.getLogger("app.auth.cache")

Result = TypeVar("Result")

MAX_CONNECTIONS = 20
LONGEST_WAIT = 0.2
"""Seconds for one command, or a tenth of what a call to the provider may take if that is less."""
SWEEP_WAIT = 10.0
"""Seconds for looking through all answers, which no request waits for."""
PAUSE = 2.0
"""Seconds that Redis is left alone after it failed: requests must not all wait for it in turn."""
SILENCE = 60.0
"""Seconds from one line about a failure to the next."""

# Only while nobody has forgotten anything since the question was asked
KEEP = """
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


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
        self.client = client
        self.prefix = f"answers:{hashlib.sha256(repr(authority).encode()).hexdigest()[:16]}:"
        self.epoch_name = self.prefix + "epoch"
        self.epoch: bytes | None = None
        """As of the last look. `None` while Redis does not answer."""
        self._lifetime = lifetime
        self._time_limit = time_limit
        self._clock = clock
        self._counters = counters
        self._keep = client.register_script(KEEP)
        self._answered = 0
        self._failed_at = float("-inf")
        self._logged_at = float("-inf")

    async def find(self, key: str) -> Found:
        async def ask() -> Found:
            names = (self.prefix + key, self.epoch_name)
            raw, epoch = await cast(Awaitable[list[object]], self.client.mget(names))
            answer = decode(raw, key, self._clock()) if isinstance(raw, bytes) else None
            return Found(answer, epoch if isinstance(epoch, bytes) else b"")

        try:
            found = await self.in_time(ask)
        except StoreUnavailable:
            found = Found(None, None)
        self.epoch = found.epoch
        return found

    async def keep(self, key: str, answer: Answer, epoch: bytes | None) -> None:
        value = encode(answer, key)
        left = int((answer.until(self._lifetime) - self._clock()) * 1000)
        if epoch is None or left <= 0 or value is None:
            return

        async def tell() -> None:
            await self._keep((self.prefix + key, self.epoch_name), (epoch, value, left))

        with suppress(StoreUnavailable):
            await self.in_time(tell)

    async def drop(self, key: str) -> None:
        async def tell() -> None:
            await self.client.delete(self.prefix + key)

        with suppress(StoreUnavailable):
            await self.in_time(tell)

    async def forget(self, key: str) -> None:
        async def tell() -> None:
            await self._begin_epoch()
            await self.client.delete(self.prefix + key)

        await self.in_time(tell)

    async def forget_subject(self, subject: str) -> None:
        def is_theirs(name: str, raw: bytes) -> bool:
            answer = decode(raw, name.removeprefix(self.prefix), self._clock())
            return answer is not None and answer.is_about(subject)

        await self.in_time(lambda: self._sweep(is_theirs), SWEEP_WAIT)

    async def forget_all(self) -> None:
        await self.in_time(lambda: self._sweep(lambda _, __: True), SWEEP_WAIT)

    def size(self) -> int | None:
        return None

    async def _begin_epoch(self) -> None:
        # Without an end: an epoch that is gone means that Redis has lost its memory.
        await self.client.set(self.epoch_name, uuid.uuid4().hex)

    async def _sweep(self, is_meant: Callable[[str, bytes], bool]) -> None:
        """Delete the answers of which `is_meant` (name, written form) is true."""
        await self._begin_epoch()
        cursor = 0
        while True:
            scan = self.client.scan(cursor, match=self.prefix + "*", count=500)
            cursor, found = await cast(Awaitable[tuple[int, list[bytes]]], scan)
            names = [name.decode() for name in found if name.decode() != self.epoch_name]
            if names:
                mget = cast(Awaitable[list[bytes | None]], self.client.mget(names))
                pairs = zip(names, await mget, strict=True)
                meant = [name for name, raw in pairs if raw is not None and is_meant(name, raw)]
                if meant:
                    await self.client.delete(*meant)
            if cursor == 0:
                return

    async def in_time(
        self, operation: Callable[[], Awaitable[Result]], time_limit: float | None = None
    ) -> Result:
        """Return what `operation` does within `time_limit` seconds, or raise `StoreUnavailable`."""
        if 0 <= self._clock() - self._failed_at < PAUSE:
            raise StoreUnavailable("paused")
        answered = self._answered
        try:
            async with asyncio.timeout(self._time_limit if time_limit is None else time_limit):
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
