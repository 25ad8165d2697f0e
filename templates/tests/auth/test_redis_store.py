"""Entries in Redis: shared, with memory in front, and a miss if anything is wrong with them."""

import pytest
from redis.exceptions import ConnectionError

from app.auth.cache.redis_store import LOG_INTERVAL, PAUSE
from app.auth.errors import InvalidToken
from tests.auth.cached import Cached, FakeRedis, cached, claims
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
    """A second hit costs no round trip, and a fresh lookup only writes."""
    one, two = two_processes(redis)
    await one.look_up()
    seen = [await two.look_up(), await two.look_up()]
    calls = list(two.source.calls)
    await two.look_up("other", max_age=0)

    assert seen == ["anna", "anna"]
    assert calls == []
    assert redis.commands == ["GET", "SET", "GET", "DEL"]


@pytest.mark.parametrize(("lifetime", "end"), [(3600, 30), (20, 20)], ids=["TTL", "exp"])
@pytest.mark.parametrize("is_in_memory", [True, False])
@pytest.mark.anyio
async def test_shared_entry_keeps_its_age(
    redis: FakeRedis, lifetime: float, end: float, is_in_memory: bool
) -> None:
    """Redis may delete it late."""
    one, two = two_processes(redis)
    one.source.results["good"] = claims(lifetime=lifetime)
    await one.look_up()
    one.clock.now += end - 1
    if is_in_memory:
        await two.look_up()
    two.clock.now += 1
    await two.look_up()

    assert two.source.calls == ["good"]


@pytest.mark.parametrize("reason", ["inactive", "signature"])
@pytest.mark.anyio
async def test_fresh_refusal_deletes_both_copies(redis: FakeRedis, reason: str) -> None:
    """Another process keeps its own copy until the TTL is over."""
    one, two = two_processes(redis)
    await one.look_up()
    await two.look_up()
    one.source.results["good"] = two.source.results["good"] = InvalidToken(reason)
    seen = [await one.look_up(max_age=0)]
    one.clock.now += 6
    seen += [await one.look_up(), await two.look_up()]
    one.clock.now += 24

    assert seen == [reason, reason, "anna"]
    assert redis.values == {}
    assert await two.look_up() == reason


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

    assert [client.get("/probe", headers=good).status_code for _ in range(2)] == [200, 200]
