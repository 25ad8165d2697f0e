"""What is cached for a token, for how long, and which callers share a call."""

import asyncio
import hashlib

import pytest

from app.auth.cache.verifier import open_cache
from app.auth.claims import Claims
from app.auth.errors import AuthError, InvalidToken, ProviderUnavailable
from app.settings import Settings
from tests.auth.cached import Cached, Source, cached, claims, counts
from tests.conftest import read_settings

pytestmark = pytest.mark.anyio
CACHED, CALLED = 1, 2  # calls of the provider, after two lookups


async def settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(20):
        await asyncio.sleep(0)


async def begin_held(
    known: Cached, number: int = 1, max_age: float | None = None
) -> tuple[asyncio.Event, list["asyncio.Task[str]"]]:
    """Begin lookups whose call waits for the event."""
    gate = known.source.gate = asyncio.Event()
    waiting = [asyncio.create_task(known.look_up(max_age=max_age)) for _ in range(number)]
    await settle()
    known.source.gate = None
    return gate, waiting


AGES = {
    "within the TTL": ("good", 29.9, None, CACHED),
    "at the end of the TTL": ("good", 30, None, CALLED),
    "before exp": ("short", 2.9, None, CACHED),
    "at exp": ("short", 3, None, CALLED),
    "without exp, within the TTL": ("endless", 29.9, None, CACHED),
    "without exp, at the end of the TTL": ("endless", 30, None, CALLED),
    "within the age that is allowed": ("good", 9.9, 10, CACHED),
    "at the age that is allowed": ("good", 10, 10, CALLED),
    "no age is allowed": ("good", 0, 0, CALLED),
    "after the clock was set back": ("good", -1, None, CALLED),
    "inactive, within the negative TTL": ("junk", 4.9, None, CACHED),
    "inactive, at the end of the negative TTL": ("junk", 5, None, CALLED),
    "inactive, within the age that is allowed": ("junk", 2.9, 3, CACHED),
    "inactive, at the age that is allowed": ("junk", 3, 3, CALLED),
    "inactive, no age is allowed": ("junk", 0, 0, CALLED),
    "inactive, after the clock was set back": ("junk", -1, None, CALLED),
}


@pytest.mark.parametrize(("token", "later", "max_age", "calls"), AGES.values(), ids=AGES)
async def test_age_of_results(token: str, later: float, max_age: float | None, calls: int) -> None:
    known = cached(CACHE_TTL="30", CACHE_NEGATIVE_TTL="5")
    known.source.results["short"] = claims(lifetime=3)
    known.source.results["endless"] = claims().model_copy(update={"expires_at": None})
    first = await known.look_up(token)
    known.clock.now += later

    assert await known.look_up(token, max_age) == first
    assert len(known.source.calls) == calls


async def test_ttl_of_zero_is_no_cache() -> None:
    source, settings = Source(), read_settings(Settings, CACHE_TTL="0")
    async with open_cache(source, settings, lambda: 0) as verifier:
        assert verifier is source


VALID, INACTIVE, UNSIGNED = claims(), InvalidToken("inactive"), InvalidToken("signature")
OUTAGE = ProviderUnavailable("timeout")
CHANGES = {
    "an outage keeps the entry": (VALID, OUTAGE, "anna anna timeout anna", 2),
    "a fresh inactive answer replaces it": (VALID, INACTIVE, "anna anna inactive inactive", 2),
    "another fresh refusal removes it": (VALID, UNSIGNED, "anna anna signature signature", 3),
    "a fresh result replaces a refusal": (INACTIVE, VALID, "inactive inactive anna anna", 2),
    "an outage is not cached": (OUTAGE, VALID, "timeout anna anna anna", 3),
    "another refusal is not cached": (UNSIGNED, VALID, "signature anna anna anna", 3),
}


@pytest.mark.parametrize(("before", "after", "seen", "calls"), CHANGES.values(), ids=CHANGES)
async def test_results_of_other_kinds(
    before: Claims | AuthError, after: Claims | AuthError, seen: str, calls: int
) -> None:
    """The third lookup is a fresh one."""
    known = cached()
    known.source.results["good"] = before
    first = await known.look_up()
    known.source.results["good"] = after
    others = [await known.look_up(max_age=max_age) for max_age in (None, 0, None)]

    assert [first, *others] == seen.split()
    assert len(known.source.calls) == calls


async def test_junk_evicts_no_valid_entry() -> None:
    known = cached(CACHE_MAX_ENTRIES="10")
    await known.look_up()
    for number in range(100):
        await known.look_up(f"junk-{number}")

    assert await known.look_up() == "anna"
    assert known.source.calls.count("good") == CACHED


@pytest.mark.parametrize("result", [VALID, INACTIVE, OUTAGE])
async def test_concurrent_callers_share_a_call(result: Claims | AuthError) -> None:
    known = cached()
    known.source.results["good"] = result
    gate, waiting = await begin_held(known, 100)
    gate.set()

    assert set(await asyncio.gather(*waiting)) == {getattr(result, "reason", "anna")}
    assert known.source.calls == ["good"]


@pytest.mark.parametrize("gone", [[0], [0, 1, 50, 99], range(100)], ids=["first", "some", "all"])
async def test_cancelled_callers_cancel_no_other(gone: list[int]) -> None:
    """If all of them go away, the result is cached for the next one."""
    known = cached()
    gate, waiting = await begin_held(known, 100)
    for number in gone:
        waiting[number].cancel()
    gate.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    await settle()

    assert outcomes.count("anna") == 100 - len(gone)
    assert await known.look_up() == "anna"
    assert known.source.calls == ["good"]


async def test_lookups_are_counted() -> None:
    known, before = cached(), counts()
    gate, waiting = await begin_held(known, 3)
    gate.set()
    await asyncio.gather(*waiting)
    for token, max_age in (("good", None), ("good", 0), ("junk", None), ("junk", None)):
        await known.look_up(token, max_age)
    results = {"miss": 2, "coalesced": 2, "hit": 1, "bypassed": 1, "negative_hit": 1}

    assert counts() - before == results


async def test_key_does_not_reveal_the_token() -> None:
    """It is not the plain hash of the token, which others may know."""
    key_of = cached().verifier.key_of

    assert len(key_of("good")) == 64
    assert len({key_of("good"), key_of("gooD"), hashlib.sha256(b"good").hexdigest()}) == 3
