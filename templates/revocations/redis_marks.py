"""Marks in Redis, beside the answers: what one process is told of, all know."""

import math
import re
import uuid
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import cast

from app.auth.redis_store import RedisStore

OVERLAP = 300
"""Seconds by which the clock of a Redis that takes over may be behind."""
PAGE = 1000
"""Marks that are read or stored in one call, which has the time of one."""

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
        for first in range(0, len(members), PAGE):
            await self._store.in_time(partial(self._put_page, members[first : first + PAGE]))

    async def news(self) -> Mapping[str, float]:
        marks: dict[str, float] = {}
        since, place, latest = self._read_up_to - OVERLAP, 0, self._read_up_to
        while True:
            page = await self._store.in_time(partial(self._page, since, place))
            for member, score in page:
                latest = max(latest, score)
                match = _MEMBER.fullmatch(member) if isinstance(member, bytes) else None
                if match is not None:
                    name, at = match[1].decode(), float(match[2])
                    marks[name] = max(at, marks.get(name, at))
            if len(page) < PAGE:
                self._read_up_to = latest
                return marks
            place += PAGE

    async def _put_page(self, members: list[str]) -> None:
        names = (self._name, self._store.epoch_name)
        await self._put(names, (self._ttl, uuid.uuid4().hex, *members))

    async def _page(self, since: float, place: int) -> list[tuple[object, float]]:
        # The newest first: what is put or ends meanwhile then hides none that is still to come.
        found = self._store.client.zrevrangebyscore(
            self._name, math.inf, since, start=place, num=PAGE, withscores=True
        )
        return list(await cast(Awaitable[list[tuple[object, float]]], found))
