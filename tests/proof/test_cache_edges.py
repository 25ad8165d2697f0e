"""Edges of the cache: races, limits and foreign values."""

import asyncio
import json
from types import MappingProxyType

import httpx
import pytest
from redis.exceptions import ResponseError
from starlette.types import Receive, Scope, Send

from app.auth.cache.store import MAX_SIZE, CacheEntry, decode, encode
from app.auth.claims import parse_claims
from app.settings import Settings
from dev.provider import Provider
from tests.auth.cached import FakeRedis, cached, claims
from tests.auth.test_cache import CACHED, CALLED, begin, begin_held, release, settle
from tests.auth.test_redis_store import two_processes
from tests.callers import NOW, Clock, bearer
from tests.conftest import IssueToken, read_settings

pytest_plugins = ["tests.conftest"]
KEY = "k" * 64


@pytest.fixture
def redis() -> FakeRedis:
    """Return an empty Redis."""
    return FakeRedis()


@pytest.mark.anyio
async def test_expired_entry_leaves_memory() -> None:
    known = cached(CACHE_TTL="30")
    await known.look_up()
    key = known.verifier.key_of("good")
    before = await known.store.get(key)
    known.clock.now += 30

    assert before == CacheEntry(claims(), NOW)
    assert await known.store.get(key) is None


class TickingClock(Clock):
    """Advances by `step` seconds each time it is read."""

    step = 0.0

    def __call__(self) -> float:
        """Advance, and return the time."""
        self.now += self.step
        return self.now


@pytest.mark.anyio
@pytest.mark.parametrize(("token", "later"), [("good", 28.0), ("junk", 2.5)])
async def test_entry_expires_during_lookup(token: str, later: float) -> None:
    """An exception of the store would be a 500."""
    clock = TickingClock()
    known = cached(clock)
    first = await known.look_up(token)
    clock.now, clock.step = NOW + later, 1

    assert await known.look_up(token) == first


@pytest.mark.anyio
async def test_least_recently_used_entry_is_evicted() -> None:
    known = cached(CACHE_MAX_ENTRIES="10")
    for number in range(100):
        known.source.results[f"other-{number}"] = claims()
        await known.look_up(f"other-{number}")
        await known.look_up()

    assert known.source.calls.count("good") == CACHED
    assert known.counts["evictions"] == 91


def nested(depth: int) -> object:
    value: object = ()
    for _ in range(depth):
        value = MappingProxyType({"x": value})
    return value


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["x" * MAX_SIZE, nested(800)], ids=["large", "nested"])
async def test_huge_claims_are_not_cached(value: object) -> None:
    """800 levels are more than can be written, and less than could be read."""
    known = cached()
    known.source.results["huge"] = parse_claims({"sub": "anna", "ext": value})

    assert [await known.look_up("huge"), await known.look_up("huge")] == ["anna", "anna"]
    assert len(known.source.calls) == CALLED


@pytest.mark.anyio
async def test_callers_share_a_fresh_call() -> None:
    known = cached()
    known.source.gate = asyncio.Event()
    waiting = [begin(known.look_up(max_age=0)), begin(known.look_up()), begin(known.look_up())]
    await settle()
    release(known)

    assert await asyncio.gather(*waiting) == ["anna"] * 3
    assert known.source.calls == ["good"]


@pytest.mark.anyio
async def test_call_older_than_the_ttl_is_not_shared() -> None:
    """Its result would be too old."""
    known = cached(CACHE_TTL="1")
    (older,) = await begin_held(known, 1)
    known.clock.now += 1
    newer = begin(known.look_up())
    await settle()
    release(known)

    assert [await older, await newer] == ["anna", "anna"]
    assert known.source.calls == ["good", "good"]


@pytest.mark.anyio
async def test_check_calls_the_provider() -> None:
    known = cached()
    await known.verifier.check()

    assert known.source.calls == ["check"]


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


async def send_at_once(provider: Provider, clock: Clock, token: str, number: int) -> list[int]:
    """Return the statuses of the first requests of a service, sent at the same time."""
    from app.main import create_app

    settings = read_settings(Settings)
    app = create_app(settings, transport=httpx.ASGITransport(provider), clock=clock)
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            """As a server does it, and `ASGITransport` alone does not."""
            await app({**scope, "state": dict(state or ())}, receive, send)

        transport = httpx.ASGITransport(with_state)
        caller = httpx.AsyncClient(transport=transport, base_url="http://service")
        calls = [caller.get("/widgets", headers=bearer(token)) for _ in range(number)]
        return [response.status_code for response in await asyncio.gather(*calls)]


@pytest.mark.anyio
async def test_first_requests_share_a_call(
    provider: Provider, clock: Clock, token: IssueToken
) -> None:
    good = token()
    provider.delay = 0.05

    assert await send_at_once(provider, clock, good, 100) == [200] * 100
    assert provider.calls == 1
