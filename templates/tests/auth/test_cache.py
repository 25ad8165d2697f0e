"""What is cached for a token, for how long, and which callers share a call."""

import asyncio
import hashlib
from collections.abc import Coroutine
from typing import Any

import pytest

from app.auth.cache.store import CacheEntry
from app.auth.errors import AuthError, InvalidToken, ProviderUnavailable
from tests.auth.cached import Cached, cached, claims
from tests.callers import NOW

pytestmark = pytest.mark.anyio
CACHED, CALLED = 1, 2


async def settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(20):
        await asyncio.sleep(0)


def begin(work: Coroutine[Any, Any, str]) -> "asyncio.Task[str]":
    return asyncio.create_task(work)


async def begin_held(known: Cached, number: int) -> list["asyncio.Task[str]"]:
    """Begin lookups whose call waits for `known.source.gate`."""
    known.source.gate = asyncio.Event()
    waiting = [begin(known.look_up()) for _ in range(number)]
    await settle()
    return waiting


def release(known: Cached) -> None:
    assert known.source.gate is not None
    known.source.gate.set()
    known.source.gate = None


LIFETIMES = {
    "within the TTL": (3600, 29.9, CACHED),
    "at the end of the TTL": (3600, 30, CALLED),
    "before exp": (3, 2.9, CACHED),
    "at exp": (3, 3, CALLED),
    "without exp, within the TTL": (None, 29.9, CACHED),
    "without exp, at the end of the TTL": (None, 30, CALLED),
    "after the clock was set back": (3600, -1, CALLED),
}


@pytest.mark.parametrize(("lifetime", "later", "calls"), LIFETIMES.values(), ids=LIFETIMES)
async def test_entry_lifetime(lifetime: float | None, later: float, calls: int) -> None:
    known = cached(CACHE_TTL="30")
    expires_at = None if lifetime is None else NOW + lifetime
    known.source.results["good"] = claims().model_copy(update={"expires_at": expires_at})
    await known.look_up()
    known.clock.now += later
    await known.look_up()

    assert len(known.source.calls) == calls


async def test_ttl_starts_with_the_call() -> None:
    """The provider may have looked at the token long before its response arrived."""
    known = cached(CACHE_TTL="30")
    (waiting,) = await begin_held(known, 1)
    known.clock.now += 29
    release(known)
    await waiting
    known.clock.now += 1
    await known.look_up()

    assert len(known.source.calls) == CALLED


async def test_ttl_of_zero_caches_nothing() -> None:
    """Concurrent callers do not share a call either."""
    known = cached(CACHE_TTL="0", CACHE_NEGATIVE_TTL="60")
    tokens = ["good", "good", "junk", "junk"]
    await asyncio.gather(*map(known.look_up, tokens))
    await known.look_up()
    await known.look_up("junk")

    assert known.source.calls == [*tokens, "good", "junk"]


@pytest.mark.parametrize(("later", "calls"), [(4.9, CACHED), (5, CALLED)])
async def test_negative_result_has_its_own_ttl(later: float, calls: int) -> None:
    known = cached(CACHE_NEGATIVE_TTL="5")
    first = await known.look_up("junk")
    known.clock.now += later

    assert [first, await known.look_up("junk")] == ["inactive", "inactive"]
    assert len(known.source.calls) == calls
    assert known.counts["negative_hits"] == CALLED - calls


@pytest.mark.parametrize(
    "refusal", [ProviderUnavailable("timeout"), InvalidToken("signature"), InvalidToken("prefix")]
)
async def test_other_refusals_are_not_cached(refusal: AuthError) -> None:
    """An outage says nothing about the token, and a new key may verify its signature."""
    known = cached()
    known.source.results["odd"] = refusal
    before = await known.look_up("odd")
    known.source.results["odd"] = claims()

    assert [before, await known.look_up("odd")] == [refusal.reason, "anna"]


async def test_outage_keeps_the_entry() -> None:
    known = cached()
    await known.look_up()
    known.source.results["good"] = ProviderUnavailable("timeout")
    fresh = await known.look_up(max_age=0)

    assert [fresh, await known.look_up()] == ["timeout", "anna"]


async def test_junk_evicts_no_valid_entry() -> None:
    known = cached(CACHE_MAX_ENTRIES="10")
    await known.look_up()
    for number in range(100):
        await known.look_up(f"junk-{number}")

    assert await known.look_up() == "anna"
    assert known.source.calls.count("good") == CACHED


async def test_fresh_refusal_replaces_the_entry() -> None:
    """Also after the negative result has expired."""
    known = cached()
    await known.look_up()
    del known.source.results["good"]
    seen = [await known.look_up(), await known.look_up(max_age=0), await known.look_up()]
    calls = len(known.source.calls)
    known.clock.now += 6

    assert [*seen, await known.look_up()] == ["anna", "inactive", "inactive", "inactive"]
    assert [calls, len(known.source.calls)] == [2, 3]


async def test_fresh_result_replaces_a_refusal() -> None:
    known = cached()
    await known.look_up("late")
    known.source.results["late"] = claims("bert")
    fresh = await known.look_up("late", max_age=0)

    assert [fresh, await known.look_up("late")] == ["bert", "bert"]
    assert len(known.source.calls) == 2


async def test_entry_older_than_a_refusal_is_a_miss() -> None:
    """Another process can write an old result to the shared store after a newer refusal."""
    known = cached()
    known.source.results.clear()
    known.clock.now += 1
    await known.look_up(max_age=0)
    await known.store.set(known.verifier.key_of("good"), CacheEntry(claims(), NOW))
    known.clock.now += 6

    assert await known.look_up() == "inactive"


@pytest.mark.parametrize("token", ["good", "junk"])
@pytest.mark.parametrize(("later", "calls"), [(9.9, CACHED), (10, CALLED)])
async def test_max_age_limits_the_age(token: str, later: float, calls: int) -> None:
    known = cached(CACHE_NEGATIVE_TTL="30")
    await known.look_up(token)
    known.clock.now += later
    await known.look_up(token, max_age=10)

    assert len(known.source.calls) == calls


@pytest.mark.parametrize(
    "result", [claims(), InvalidToken("inactive"), ProviderUnavailable("timeout")]
)
async def test_concurrent_callers_share_a_call(result: Any) -> None:
    known = cached()
    known.source.results["good"] = result
    waiting = await begin_held(known, 100)
    release(known)

    assert set(await asyncio.gather(*waiting)) == {getattr(result, "reason", "anna")}
    assert known.source.calls == ["good"]
    assert (known.counts["misses"], known.counts["coalesced"]) == (1, 99)


@pytest.mark.parametrize("gone", [[0], [5], [0, 1, 2, 50, 99], range(99), range(100)])
async def test_cancelled_callers_cancel_no_other(gone: list[int]) -> None:
    """If all of them go away, the result is cached for the next one."""
    known = cached()
    waiting = await begin_held(known, 100)
    for number in gone:
        waiting[number].cancel()
    release(known)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    await settle()

    cancelled = [n for n, each in enumerate(outcomes) if isinstance(each, asyncio.CancelledError)]
    assert cancelled == list(gone)
    assert outcomes.count("anna") == 100 - len(gone)
    assert await known.look_up() == "anna"
    assert known.source.calls == ["good"]


async def test_finished_call_is_not_shared() -> None:
    """Its error would be an outage without end."""
    known = cached()
    known.source.results["good"] = ProviderUnavailable("timeout")
    await known.look_up()
    known.source.results["good"] = claims()

    assert await known.look_up() == "anna"


@pytest.mark.parametrize("ends_first", ["older", "newer"])
async def test_newer_call_decides(ends_first: str) -> None:
    """A fresh lookup does not share an older call, and the older result is not stored."""
    known = cached()
    (older,) = await begin_held(known, 1)
    gate, known.source.gate = known.source.gate, asyncio.Event()
    assert gate is not None
    del known.source.results["good"]
    newer = begin(known.look_up(max_age=0))
    await settle()
    gates = [gate, known.source.gate]
    for each in gates if ends_first == "older" else reversed(gates):
        each.set()
        await settle()
    seen = [await older, await newer, await known.look_up()]
    known.clock.now += 6

    assert [*seen, await known.look_up()] == ["anna", "inactive", "inactive", "inactive"]
    assert known.source.calls == ["good"] * 3


IDENTITIES = {
    "two providers": (("https://one.example",), ("https://two.example",)),
    "parts that join to the same text": (("ab", "c"), ("a", "bc")),
}


@pytest.mark.parametrize(("one", "two"), IDENTITIES.values(), ids=IDENTITIES)
async def test_identities_share_no_entry(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    first = cached(identity=one)
    second = cached(identity=two, store=first.store)
    await first.look_up()
    await second.look_up()

    assert second.source.calls == ["good"]


async def test_key_does_not_reveal_the_token() -> None:
    """It is not the plain hash of the token, which others may know."""
    key_of = cached().verifier.key_of

    assert len(key_of("good")) == 64
    assert len({key_of("good"), key_of("gooD"), hashlib.sha256(b"good").hexdigest()}) == 3


async def test_close_cancels_pending_calls() -> None:
    known = cached()
    (waiting,) = await begin_held(known, 1)
    known.verifier.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting
