"""Entries in Redis: shared, with memory in front, and a miss if anything is wrong with them."""

import pytest
from redis.exceptions import ConnectionError

from app.auth.cache.redis_store import LOG_INTERVAL, PAUSE
from app.auth.errors import InvalidToken
from tests.auth.cached import Cached, FakeRedis, cached, claims, counts
from tests.callers import Clock

pytestmark = pytest.mark.anyio


@pytest.fixture
def redis() -> FakeRedis:
    return FakeRedis()


@pytest.fixture
def processes(redis: FakeRedis) -> tuple[Cached, Cached]:
    """Return the caches of two processes with the same clock and Redis."""
    clock = Clock()
    return cached(clock, redis=redis), cached(clock, redis=redis)


async def test_processes_share_entries(redis: FakeRedis, processes: tuple[Cached, Cached]) -> None:
    """A second hit costs no round trip, and a fresh lookup only writes."""
    one, two = processes
    await one.look_up()
    seen = [await two.look_up(), await two.look_up()]
    calls = list(two.source.calls)
    await two.look_up("other", max_age=0)

    assert [seen, calls] == [["anna", "anna"], []]
    assert redis.commands == ["GET", "SET", "GET", "DEL"]


@pytest.mark.parametrize(("lifetime", "end"), [(3600, 30), (20, 20)], ids=["TTL", "exp"])
@pytest.mark.parametrize("is_in_memory", [True, False])
async def test_shared_entry_keeps_its_age(
    processes: tuple[Cached, Cached], lifetime: float, end: float, is_in_memory: bool
) -> None:
    """Redis may delete it late."""
    one, two = processes
    one.source.results["good"] = claims(lifetime=lifetime)
    await one.look_up()
    one.clock.now += end - 1
    if is_in_memory:
        await two.look_up()
    two.clock.now += 1
    await two.look_up()

    assert two.source.calls == ["good"]


@pytest.mark.parametrize("reason", ["inactive", "signature"])
async def test_fresh_refusal_deletes_both_copies(
    redis: FakeRedis, processes: tuple[Cached, Cached], reason: str
) -> None:
    """Another process keeps its own copy until the TTL is over."""
    one, two = processes
    seen = [await one.look_up(), await two.look_up()]
    one.source.results["good"] = two.source.results["good"] = InvalidToken(reason)
    seen += [await one.look_up(max_age=0), await one.look_up(), await two.look_up()]
    one.clock.now += 30

    assert [*seen, await two.look_up()] == ["anna", "anna", reason, reason, "anna", reason]
    assert redis.values == {}


@pytest.mark.parametrize("foreign", [b"", b"junk", b"{}", b'{"active":true,"sub":"mallory"}'])
async def test_foreign_value_is_a_miss(
    redis: FakeRedis, processes: tuple[Cached, Cached], foreign: bytes
) -> None:
    one, two = processes
    await one.look_up()
    redis.values = dict.fromkeys(redis.values, foreign)

    assert await two.look_up() == "anna"
    assert two.source.calls == ["good"]


async def test_failing_redis_is_left_alone(
    redis: FakeRedis, caplog: pytest.LogCaptureFixture
) -> None:
    """Memory and provider serve meanwhile. The log says it once a minute."""
    known, before = cached(redis=redis, CACHE_TTL="300"), counts()
    redis.error = ConnectionError()
    seen = [await known.look_up(), await known.look_up(), await known.look_up(max_age=0)]
    tried = len(redis.commands)
    for later in (PAUSE, LOG_INTERVAL):
        known.clock.now += later
        await known.look_up(max_age=0)

    assert seen == ["anna"] * 3
    assert [tried, len(redis.commands), (counts() - before)["store_error"]] == [1, 3, 3]
    assert caplog.messages == ["Redis failed, going on without it reason=ConnectionError"] * 2
