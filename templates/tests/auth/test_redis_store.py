"""Entries in Redis: shared, with memory in front, and a miss if anything is wrong with them."""

import asyncio
import json

import pytest
from redis.exceptions import ConnectionError, ResponseError

from app.auth.cache.redis_store import LOG_INTERVAL, PAUSE
from app.auth.cache.store import MAX_SIZE, CacheEntry, decode, encode
from dev.environment import HOST
from dev.processes import free_ports
from tests.auth.cached import Cached, FakeRedis, cached, claims
from tests.callers import NOW, Clock, bearer
from tests.conftest import IssueToken, Start

KEY = "k" * 64


def entry(key: str = KEY, **changes: object) -> bytes:
    """Return an entry as another process would write it, with some parts changed."""
    record = json.loads(encode(CacheEntry(claims("mallory"), NOW), key) or b"")
    return json.dumps({**record, **changes}).encode()


FOREIGN: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"\x80\x04\x95.",
    "null": b"null",
    "a list": b"[]",
    "an empty object": b"{}",
    "a response of a provider": b'{"active":true,"sub":"mallory"}',
    "deeply nested": b"[" * 10_000,
    "a name twice": b'{"version":2,' + entry()[1:],
    "not UTF-8": entry().replace(b"mallory", b"\xff"),
    "an entry of another token": entry("0" * 64),
    "another version": entry(version=1),
    "sent in the future": entry(sent_at=NOW + 1),
    "sent at the end of time": entry(sent_at=1e999),
    "not sent": entry(sent_at=None),
    "a boolean as time": entry(sent_at=True),
    "claims of another type": entry(claims=["sub"]),
    "a claim of another type": entry(claims={"sub": 1}),
    "too large": entry(padding="x" * MAX_SIZE),
}


def test_written_entry_can_be_read() -> None:
    assert decode(entry(), KEY, NOW) == CacheEntry(claims("mallory"), NOW)


@pytest.mark.parametrize("raw", FOREIGN.values(), ids=FOREIGN)
def test_foreign_value_is_a_miss(raw: bytes) -> None:
    assert decode(raw, KEY, NOW) is None


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
    two.clock.now = one.clock.now
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


@pytest.mark.anyio
async def test_newer_entry_stays_in_memory(redis: FakeRedis) -> None:
    """The reply to an older read arrives after it was set."""
    one, two = two_processes(redis)
    await one.look_up()
    two.source.results["good"] = claims("bert")
    redis.gate = asyncio.Event()
    older = asyncio.create_task(two.look_up())
    await asyncio.sleep(0)
    newer = asyncio.create_task(two.look_up(max_age=0))
    await asyncio.sleep(0)
    redis.gate.set()

    assert [await older, await newer, await two.look_up()] == ["anna", "bert", "bert"]


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


@pytest.mark.anyio
async def test_error_reply_is_no_failure(redis: FakeRedis) -> None:
    """A Redis that is full stores nothing more, and still returns what it has."""
    one, two = two_processes(redis)
    await one.look_up()
    redis.error = ResponseError("OOM")
    await two.look_up("other")
    redis.error = None

    assert await two.look_up() == "anna"
    assert two.source.calls == ["other"]


@pytest.mark.anyio
async def test_slow_process_is_no_failure(redis: FakeRedis) -> None:
    """Redis replied to another command meanwhile, so commands go on."""
    known = cached(redis=redis, time_limit=0.05)
    redis.gate = asyncio.Event()
    slow = asyncio.create_task(known.store.get("slow"))
    await asyncio.sleep(0)
    redis.gate = None
    await known.store.get("quick")
    await slow
    await known.store.get("next")

    assert redis.commands == ["GET"] * 3
    assert known.counts["store_errors"] == 1


def test_service_runs_without_its_redis(start: Start, token: IssueToken) -> None:
    (port,) = free_ports(1)
    client = start(CACHE_URL=f"redis://{HOST}:{port}")
    good = bearer(token())

    assert [client.get("/widgets", headers=good).status_code for _ in range(2)] == [200, 200]
