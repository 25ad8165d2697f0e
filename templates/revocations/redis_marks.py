"""Marks in Redis, beside the answers: what one process is told of, all know."""

import math
import re
import uuid
from collections.abc import Awaitable, Mapping
from typing import cast

from app.auth.redis_store import RedisStore

OVERLAP = 300
"""Seconds by which the clock of a Redis that takes over may be behind."""

# Under Redis's own time, so that nobody misses a mark because of a clock that is wrong
PUT = """
local now = tonumber(redis.call('TIME')[1])
for i = 3, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - ARGV[1]))
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], ARGV[2])
return now
"""
_MEMBER = re.compile(rb"([0-9a-f]{64}):([0-9]{1,12}(?:\.[0-9]{1,9})?)")


class RedisMarks:
    """The marks of one authority. See `SharedMarks`. `ttl` in seconds."""

    def __init__(self, store: RedisStore, ttl: float) -> None:
        self._store = store
        self._ttl = math.ceil(ttl)
        self._name = store.prefix + "marks"
        self._put = store.client.register_script(PUT)
        self._read_up_to = -math.inf

    @property
    def epoch(self) -> bytes | None:
        """As it was when Redis was last asked for anything."""
        return self._store.epoch

    async def look(self) -> None:
        await self._store.find("")

    async def put(self, marks: Mapping[str, float]) -> None:
        members = [f"{name}:{max(0.0, at):.6f}" for name, at in marks.items()]
        names = (self._name, self._store.epoch_name)

        async def tell() -> None:
            await self._put(names, (self._ttl, uuid.uuid4().hex, *members))

        await self._store.in_time(tell)

    async def news(self) -> Mapping[str, float]:
        async def ask() -> list[tuple[object, float]]:
            found = self._store.client.zrangebyscore(
                self._name, self._read_up_to - OVERLAP, math.inf, withscores=True
            )
            return list(await cast(Awaitable[list[tuple[object, float]]], found))

        marks: dict[str, float] = {}
        for member, score in await self._store.in_time(ask):
            self._read_up_to = max(self._read_up_to, score)
            match = _MEMBER.fullmatch(member) if isinstance(member, bytes) else None
            if match is not None:
                name, at = match[1].decode(), float(match[2])
                marks[name] = max(at, marks.get(name, at))
        return marks
