"""Entries in Redis: shared, with memory in front, and a miss if anything is wrong with them."""

import pytest
from redis.exceptions import ConnectionError

from app.auth.cache.redis_store import LOG_INTERVAL, PAUSE
from tests.auth.cached import Cached, FakeRedis, cached
from tests.callers import Clock, bearer
from tests.conftest import IssueToken, Start


@pytest.fixture
def redis() -> FakeRedis:
    return FakeRedis()


def two_processes(redis: FakeRedis) -> tuple[Cached, Cached]:
    clock = Clock()
    return cached(clock, redis=redis), cached(clock, redis=redis)


@pytest.mark.anyio
async def test_processes_share_entries(redis: FakeRedis) -> None:
    one, two = two_processes(redis)
    await one.look_up()

    assert [await two.look_up(), await two.look_up()] == ["anna", "anna"]
    assert two.source.calls == []
    assert redis.commands == ["GET", "SET", "GET"]


@pytest.mark.anyio
async def test_shared_entry_keeps_its_age(redis: FakeRedis) -> None:
    one, two = two_processes(redis)
    await one.look_up()
    one.clock.now += 29
    await two.look_up()
    two.clock.now += 1
    await two.look_up()

    assert two.source.calls == ["good"]


@pytest.mark.anyio
async def test_fresh_refusal_deletes_both_copies(redis: FakeRedis) -> None:
    """Another process keeps its own copy until the TTL is over."""
    one, two = two_processes(redis)
    await one.look_up()
    await two.look_up()
    one.source.results.clear()
    two.source.results.clear()
    fresh = await one.look_up(max_age=0)
    one.clock.now += 6
    seen = [fresh, await one.look_up(), await two.look_up()]
    one.clock.now += 24

    assert seen == ["inactive", "inactive", "anna"]
    assert redis.values == {}
    assert await two.look_up() == "inactive"


@pytest.mark.parametrize("foreign", [b"", b"junk", b"{}", b'{"active":true,"sub":"mallory"}'])
@pytest.mark.anyio
async def test_foreign_value_is_a_miss(redis: FakeRedis, foreign: bytes) -> None:
    one, two = two_processes(redis)
    await one.look_up()
    (name,) = redis.values
    redis.values[name] = foreign

    assert await two.look_up() == "anna"
    assert two.source.calls == ["good"]


@pytest.mark.anyio
async def test_failing_redis_is_left_alone(
    redis: FakeRedis, caplog: pytest.LogCaptureFixture
) -> None:
    """Memory and provider serve meanwhile. The log says it once a minute."""
    known = cached(redis=redis, CACHE_TTL="300")
    redis.error = ConnectionError()
    seen = [await known.look_up(), await known.look_up(), await known.look_up(max_age=0)]
    tried = len(redis.commands)
    for later in (PAUSE, LOG_INTERVAL):
        known.clock.now += later
        await known.look_up(max_age=0)

    assert seen == ["anna"] * 3
    assert [tried, len(redis.commands), known.counts["store_errors"]] == [1, 3, 3]
    assert caplog.messages == ["Redis failed, calling the provider reason=ConnectionError"] * 2


def test_service_runs_without_its_redis(start: Start, token: IssueToken) -> None:
    client = start(CACHE_URL="redis://127.0.0.1:9")
    good = bearer(token())

    assert [client.get("/widgets", headers=good).status_code for _ in range(2)] == [200, 200]
