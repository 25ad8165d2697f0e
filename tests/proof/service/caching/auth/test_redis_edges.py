"""Edges of entries in Redis: races, failures and foreign values."""

import asyncio
import json
from types import MappingProxyType

import pytest
from redis.exceptions import ResponseError

from app.auth.cache.memory import CacheEntry
from app.auth.cache.redis_store import MAX_SIZE, RedisStore, decode
from app.auth.claims import parse_claims
from app.auth.errors import InvalidToken
from tests.auth.cached import Cached, FakeRedis, cached, claims, counts
from tests.callers import NOW, Clock

KEY = "k" * 64


@pytest.fixture
def redis() -> FakeRedis:
    """Return an empty Redis."""
    return FakeRedis()


@pytest.fixture
def processes(redis: FakeRedis) -> tuple[Cached, Cached]:
    """Return the caches of two processes with the same clock and Redis."""
    clock = Clock()
    return cached(clock, redis=redis), cached(clock, redis=redis)


@pytest.mark.anyio
async def test_identities_share_no_entry(redis: FakeRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor if their parts join to the same text."""
    for identity in (("ab", "c"), ("a", "bc"), ("other",)):
        monkeypatch.setattr(
            "app.auth.cache.verifier.key_parts",
            lambda _, token, identity=identity: (*identity, token),
        )
        known = cached(redis=redis)
        await known.look_up()
        assert known.source.calls == ["good"]

    assert len(redis.values) == 3


@pytest.mark.anyio
@pytest.mark.parametrize("later", [0, 6, 28])
async def test_older_entry_of_another_process_is_a_miss(
    redis: FakeRedis, processes: tuple[Cached, Cached], later: float
) -> None:
    """It may be stored after this process has found the token inactive."""
    one, two = processes
    await two.look_up()
    older = dict(redis.values)
    one.source.results["good"] = InvalidToken("inactive")
    one.clock.now += 1
    await one.look_up(max_age=0)
    redis.values.update(older)
    one.clock.now += later

    assert await one.look_up() == "inactive"


@pytest.mark.anyio
async def test_older_entry_arrives_after_a_refusal(
    redis: FakeRedis, processes: tuple[Cached, Cached]
) -> None:
    """The reply to an older read arrives after this process has found the token inactive."""
    one, two = processes
    await one.look_up()
    two.source.results["good"] = InvalidToken("inactive")
    gate = redis.gate = asyncio.Event()
    older = asyncio.create_task(two.look_up())
    await asyncio.sleep(0)
    redis.gate = None
    seen = [await two.look_up(max_age=0)]
    gate.set()

    assert [*seen, await older, await two.look_up()] == ["inactive"] * 3


@pytest.mark.anyio
async def test_newer_entry_stays_in_memory(
    redis: FakeRedis, processes: tuple[Cached, Cached]
) -> None:
    """The reply to an older read arrives after it was set."""
    one, two = processes
    await one.look_up()
    two.source.results["good"] = claims("bert")
    redis.gate = asyncio.Event()
    older = asyncio.create_task(two.look_up())
    await asyncio.sleep(0)
    newer = asyncio.create_task(two.look_up(max_age=0))
    await asyncio.sleep(0)
    redis.gate.set()

    assert await newer == "bert"
    assert await two.look_up() == "bert"
    assert await older in ("anna", "bert")


@pytest.mark.anyio
async def test_known_inactive_token_costs_no_round_trip(redis: FakeRedis) -> None:
    known = cached(redis=redis)
    for _ in range(3):
        await known.look_up("junk")

    assert redis.commands == ["GET", "DEL"]


@pytest.mark.anyio
async def test_error_reply_is_no_failure(
    redis: FakeRedis, processes: tuple[Cached, Cached]
) -> None:
    """A Redis that is full stores nothing more, and still returns what it has."""
    one, two = processes
    await one.look_up()
    redis.error = ResponseError("OOM")
    await two.look_up("other")
    redis.error = None

    assert await two.look_up() == "anna"
    assert two.source.calls == ["other"]


@pytest.mark.anyio
async def test_slow_process_is_no_failure(
    redis: FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis replied to another command meanwhile, so commands go on."""
    monkeypatch.setattr("app.auth.cache.redis_store.TIME_LIMIT", 0.05)
    store, before = RedisStore(redis, 30, Clock()), counts()
    redis.gate = asyncio.Event()
    slow = asyncio.create_task(store.get("slow"))
    await asyncio.sleep(0)
    redis.gate = None
    await store.get("quick")
    await slow
    await store.get("next")

    assert redis.commands == ["GET"] * 3
    assert (counts() - before)["store_error"] == 1


@pytest.mark.anyio
async def test_clock_that_was_set_back_ends_the_pause(redis: FakeRedis) -> None:
    known = cached(redis=redis)
    redis.error = ConnectionError()
    await known.look_up("one")
    redis.error = None
    known.clock.now -= 1
    await known.look_up("two")

    assert redis.commands == ["GET", "GET", "DEL"]


def nested(depth: int) -> object:
    """Return a value in so many objects."""
    value: object = ()
    for _ in range(depth):
        value = MappingProxyType({"x": value})
    return value


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["x" * MAX_SIZE, nested(150)], ids=["large", "nested"])
async def test_huge_claims_are_not_shared(
    redis: FakeRedis, processes: tuple[Cached, Cached], value: object
) -> None:
    """150 levels are more than can be written, and less than a response may have."""
    before = counts()
    for known in processes:
        known.source.results["huge"] = parse_claims({"sub": "anna", "ext": value})
        assert [await known.look_up("huge"), await known.look_up("huge")] == ["anna", "anna"]
        assert known.source.calls == ["huge"]
        assert (counts() - before)["store_error"] == 0


async def written(entry: CacheEntry) -> bytes:
    """Return what is stored for an entry."""
    redis = FakeRedis()
    await RedisStore(redis, 30, Clock()).set(entry)
    (raw,) = redis.values.values()
    assert isinstance(raw, bytes)
    return raw


@pytest.mark.anyio
async def test_expired_entry_is_not_written(redis: FakeRedis) -> None:
    """The call took longer than the TTL. Redis would refuse to store it."""
    store = RedisStore(redis, 30, Clock())
    for sent_at, lifetime in ((NOW - 30, 3600), (NOW, 0)):
        await store.set(CacheEntry(key=KEY, sent_at=sent_at, claims=claims(lifetime=lifetime)))

    assert redis.commands == []


def changed(of: str = KEY, /, **changes: object) -> bytes:
    """Return an entry as another process would write it, with some parts changed."""
    entry = CacheEntry(key=of, sent_at=NOW, claims=claims("mallory"))
    return json.dumps({**json.loads(asyncio.run(written(entry))), **changes}).encode()


FOREIGN: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"\x80\x04\x95.",
    "null": b"null",
    "a list": b"[]",
    "an empty object": b"{}",
    "a response of a provider": b'{"active":true,"sub":"mallory"}',
    "deeply nested": b"[" * 10_000,
    "a name twice": b'{"sent_at":1,' + changed()[1:],
    "not UTF-8": changed().replace(b"mallory", b"\xff"),
    "an entry of another token": changed("0" * 64),
    "no key": changed(key=None),
    "sent in the future": changed(sent_at=NOW + 1),
    "sent at the end of time": changed(sent_at=1e999),
    "not sent": changed(sent_at=None),
    "a boolean as time": changed(sent_at=True),
    "a negative result": changed(claims=None),
    "claims of another type": changed(claims=["sub"]),
    "claims as text": changed(claims='{"sub":"mallory"}'),
    "a claim of another type": changed(claims={"sub": 1}),
    "an endless number": changed(claims={"exp": 1e999}),
    "too large": changed(padding="x" * MAX_SIZE),
}


def test_written_entry_can_be_read() -> None:
    entry = CacheEntry(key=KEY, sent_at=NOW, claims=claims("mallory"))

    assert decode(asyncio.run(written(entry)), KEY, NOW) == entry
    assert decode(changed(), KEY, NOW) == entry


@pytest.mark.parametrize("raw", FOREIGN.values(), ids=FOREIGN)
def test_foreign_value_is_a_miss(raw: bytes) -> None:
    assert decode(raw, KEY, NOW) is None
