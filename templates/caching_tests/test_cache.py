"""What is remembered about a token, for how long, and who waits for whom."""

import asyncio
import hashlib
from collections.abc import Coroutine
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pytest

from app.auth.answers import MAX_SIZE, Answer
from app.auth.errors import AuthError, InvalidToken, ProviderUnavailable
from tests.callers import NOW, Clock
from tests.remembering import claims, memory

pytestmark = pytest.mark.anyio


async def settled() -> None:
    """Let everything go on that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def begin(work: Coroutine[Any, Any, str]) -> "asyncio.Task[str]":
    return asyncio.create_task(work)


async def test_an_answer_is_believed_for_its_time() -> None:
    """It counts from when the question was sent, and the last moment is over."""
    known = memory(CACHE_TTL="30")
    await known.ask()
    known.clock.now += 29.9
    held = [await known.ask(), len(known.source.asked)]
    known.clock.now += 0.1
    await known.ask()

    assert held == ["anna", 1]
    assert len(known.source.asked) == 2


async def test_the_time_of_an_answer_begins_with_its_question() -> None:
    """However long the provider took: it may have looked at the token first."""
    known = memory(CACHE_TTL="30")
    known.source.hold = asyncio.Event()
    waiting = begin(known.ask())
    await settled()
    known.clock.now += 29
    known.source.hold.set()
    await waiting
    known.clock.now += 1
    await known.ask()

    assert len(known.source.asked) == 2


async def test_an_answer_is_never_believed_after_expiry() -> None:
    known = memory(CACHE_TTL="30")
    known.source.says["good"] = claims(lifetime=3)
    await known.ask()
    known.clock.now += 2.9
    before = len(known.source.asked)
    await known.ask()
    known.clock.now += 0.1
    await known.ask()

    assert [before, len(known.source.asked)] == [1, 2]


async def test_an_answer_leaves_memory_when_its_time_is_over() -> None:
    known = memory(CACHE_TTL="30")
    await known.ask()
    before = known.store.size()
    known.clock.now += 30

    assert [before, known.store.size()] == [1, 0]


async def test_an_answer_without_expiry_has_its_time_all_the_same() -> None:
    known = memory(CACHE_TTL="30")
    known.source.says["good"] = claims()._replace(expires_at=None)
    await known.ask()
    known.clock.now += 30
    await known.ask()

    assert len(known.source.asked) == 2


async def test_an_answer_from_the_future_is_none() -> None:
    """A clock was set back: how old the answer is, nobody knows."""
    known = memory()
    await known.ask()
    known.clock.now -= 1
    await known.ask()

    assert len(known.source.asked) == 2


async def test_nothing_is_remembered_with_a_time_of_zero() -> None:
    """Not even for those who ask at the same moment."""
    known = memory(CACHE_TTL="0", CACHE_NEGATIVE_TTL="60")
    await asyncio.gather(known.ask(), known.ask(), known.ask("junk"), known.ask("junk"))
    await known.ask()
    await known.ask("junk")

    assert known.source.asked == ["good", "good", "junk", "junk", "good", "junk"]


async def test_a_clear_no_is_remembered_for_its_own_time() -> None:
    known = memory(CACHE_NEGATIVE_TTL="5")
    refused = [await known.ask("junk"), await known.ask("junk")]
    known.clock.now += 4.9
    refused.append(await known.ask("junk"))
    before = len(known.source.asked)
    known.clock.now += 0.1
    refused.append(await known.ask("junk"))

    assert refused == ["inactive"] * 4
    assert [before, len(known.source.asked)] == [1, 2]
    assert known.counters.negative_hits == 2


@pytest.mark.parametrize(
    "refusal", [ProviderUnavailable("timeout"), InvalidToken("signature"), InvalidToken("prefix")]
)
async def test_what_is_no_clear_no_is_not_remembered(refusal: AuthError) -> None:
    """An outage says nothing about the token, and a new key may verify it after all."""
    known = memory()
    known.source.says["odd"] = refusal
    before = await known.ask("odd")
    known.source.says["odd"] = claims()

    assert [before, await known.ask("odd")] == [refusal.reason, "anna"]


async def test_an_outage_leaves_what_is_remembered() -> None:
    known = memory()
    await known.ask()
    known.source.says["good"] = ProviderUnavailable("timeout")
    fresh = await known.ask(max_age=0)

    assert [fresh, await known.ask()] == ["timeout", "anna"]


class Hasty(Clock):
    """Goes on by so many seconds whenever it is looked at."""

    step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


async def test_a_no_that_ends_while_it_is_looked_at_is_none() -> None:
    """The clock goes on between two looks at it, and an error would be a 500."""
    clock = Hasty()
    known = memory(clock)
    await known.ask("junk")
    clock.now, clock.step = NOW + 2.5, 1

    assert await known.ask("junk") == "inactive"


async def test_junk_pushes_out_no_good_answer() -> None:
    known = memory(CACHE_MAX_ENTRIES="10")
    await known.ask()
    for number in range(1000):
        await known.ask(f"junk-{number}")
    before = len(known.source.asked)

    assert await known.ask() == "anna"
    assert len(known.source.asked) == before
    assert known.store.size() == 1


async def test_the_answers_that_are_used_stay() -> None:
    """There is room for so many, and no more."""
    known = memory(CACHE_MAX_ENTRIES="10")
    for number in range(100):
        known.source.says[f"other-{number}"] = claims()
        await known.ask(f"other-{number}")
        await known.ask()

    assert known.source.asked.count("good") == 1
    assert known.store.size() == 10
    assert known.counters.evictions == 91


async def test_an_answer_that_is_too_large_is_not_remembered() -> None:
    known = memory()
    large = MappingProxyType({"ext": "x" * MAX_SIZE})
    known.source.says["large"] = claims()._replace(extra=large)

    assert [await known.ask("large"), await known.ask("large")] == ["anna", "anna"]
    assert known.source.asked == ["large", "large"]


async def test_an_answer_that_is_nested_too_deeply_is_not_remembered() -> None:
    """And breaks nothing: deeper than can be written, not deeper than could be read."""
    known = memory()
    ext: object = ()
    for _ in range(800):
        ext = MappingProxyType({"x": ext})
    known.source.says["deep"] = claims()._replace(extra=MappingProxyType({"ext": ext}))

    assert [await known.ask("deep"), await known.ask("deep")] == ["anna", "anna"]


async def test_whoever_wants_to_be_sure_asks_the_provider() -> None:
    known = memory()
    await known.ask()
    del known.source.says["good"]

    assert [await known.ask(), await known.ask(max_age=0)] == ["anna", "inactive"]


async def test_a_fresh_no_takes_the_place_of_what_was_remembered() -> None:
    known = memory()
    await known.ask()
    del known.source.says["good"]
    await known.ask(max_age=0)
    before = len(known.source.asked)
    at_once = await known.ask()
    known.clock.now += 6

    assert [at_once, await known.ask()] == ["inactive", "inactive"]
    assert [before, len(known.source.asked)] == [2, 3]


async def test_a_fresh_yes_is_remembered_and_takes_the_place_of_a_no() -> None:
    known = memory()
    await known.ask("late")
    known.source.says["late"] = claims("bert")
    fresh = await known.ask("late", max_age=0)
    before = len(known.source.asked)

    assert [fresh, await known.ask("late")] == ["bert", "bert"]
    assert [before, len(known.source.asked)] == [2, 2]


@pytest.mark.parametrize("token", ["good", "junk"])
async def test_an_answer_is_young_enough_or_not(token: str) -> None:
    """As old as was allowed is too old already."""
    known = memory(CACHE_NEGATIVE_TTL="30")
    await known.ask(token)
    known.clock.now += 9.9
    await known.ask(token, max_age=10)
    before = len(known.source.asked)
    known.clock.now += 0.1
    await known.ask(token, max_age=10)

    assert [before, len(known.source.asked)] == [1, 2]


async def test_a_hundred_who_ask_at_once_wait_for_one_answer() -> None:
    known = memory()
    known.source.hold = asyncio.Event()
    waiting = [begin(known.ask()) for _ in range(100)]
    await settled()
    known.source.hold.set()

    assert await asyncio.gather(*waiting) == ["anna"] * 100
    assert known.source.asked == ["good"]
    assert (known.counters.misses, known.counters.coalesced) == (1, 99)


@pytest.mark.parametrize("refusal", [InvalidToken("inactive"), ProviderUnavailable("timeout")])
async def test_a_hundred_share_a_refusal(refusal: AuthError) -> None:
    known = memory()
    known.source.says["good"] = refusal
    known.source.hold = asyncio.Event()
    waiting = [begin(known.ask()) for _ in range(100)]
    await settled()
    known.source.hold.set()

    assert await asyncio.gather(*waiting) == [refusal.reason] * 100
    assert known.source.asked == ["good"]


@pytest.mark.parametrize("leaves", [[0], [5], [0, 1, 2, 50, 99], range(99), range(100)])
async def test_whoever_goes_away_takes_the_answer_from_nobody(leaves: list[int]) -> None:
    """The first one too, and all of them: then the answer is there for whoever comes next."""
    known = memory()
    known.source.hold = asyncio.Event()
    waiting = [begin(known.ask()) for _ in range(100)]
    await settled()
    for number in leaves:
        waiting[number].cancel()
    known.source.hold.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    await settled()

    gone = [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes]
    assert [number for number, is_gone in enumerate(gone) if is_gone] == list(leaves)
    assert [outcome for outcome in outcomes if isinstance(outcome, str)] == ["anna"] * gone.count(
        False
    )
    assert await known.ask() == "anna"
    assert known.source.asked == ["good"]


async def test_nobody_waits_for_a_question_that_is_over() -> None:
    """Whatever came of it: an error that were handed on for ever would be an outage for ever."""
    known = memory()
    known.source.says["good"] = ProviderUnavailable("timeout")
    await known.ask()
    known.source.says["good"] = claims()

    assert await known.ask() == "anna"


async def test_whoever_wants_to_be_sure_does_not_wait_for_an_older_question() -> None:
    """Its answer may be from before the token was revoked."""
    known = memory()
    known.source.hold = asyncio.Event()
    plain = begin(known.ask())
    await settled()
    del known.source.says["good"]
    sure = begin(known.ask(max_age=0))
    await settled()
    known.source.hold.set()

    assert [await plain, await sure] == ["anna", "inactive"]
    assert known.source.asked == ["good", "good"]


async def test_an_older_question_has_no_say_over_a_newer_answer() -> None:
    """It comes back last, with what was true first."""
    known = memory()
    known.source.hold = older = asyncio.Event()
    plain = begin(known.ask())
    await settled()
    del known.source.says["good"]
    known.source.hold = None
    sure = await known.ask(max_age=0)
    older.set()
    await plain

    assert [sure, await known.ask()] == ["inactive", "inactive"]
    known.clock.now += 6
    assert await known.ask() == "inactive"


async def test_others_wait_for_the_newest_question() -> None:
    known = memory()
    known.source.hold = asyncio.Event()
    waiting = [begin(known.ask(max_age=0)), begin(known.ask()), begin(known.ask())]
    await settled()
    known.source.hold.set()

    assert await asyncio.gather(*waiting) == ["anna"] * 3
    assert known.source.asked == ["good"]


async def test_another_authority_says_something_else() -> None:
    """One store for two of them: what one vouches for is worth nothing at the other."""
    known = memory()
    other = memory(store=known.store, authority=("https://other.example",))
    other.source.says["good"] = claims("bert")

    assert [await known.ask(), await other.ask(), await known.ask()] == ["anna", "bert", "anna"]


async def test_authorities_are_not_run_together() -> None:
    one = memory(authority=("ab", "c"))
    two = memory(store=one.store, authority=("a", "bc"))
    await one.ask()
    await two.ask()

    assert two.source.asked == ["good"]


@dataclass
class Keys:
    """A store that notes the keys it is asked for."""

    seen: list[str] = field(default_factory=list)

    async def get(self, key: str) -> Answer | None:
        self.seen.append(key)
        return None

    async def set(self, key: str, answer: Answer) -> None: ...

    async def delete(self, key: str) -> None: ...

    def size(self) -> int | None: ...


async def test_a_key_tells_nothing_about_the_token() -> None:
    """It is not the plain hash of the token, which may be known elsewhere."""
    store = Keys()
    for token in ("good", "gooD"):
        await memory(store=store).ask(token)
    good, other = store.seen

    assert len(good) == 64
    assert good != hashlib.sha256(b"good").hexdigest()
    assert good != other


async def test_a_check_asks_the_provider() -> None:
    known = memory()
    await known.verifier.check()

    assert known.source.asked == ["check"]


async def test_nothing_is_left_of_questions_when_the_service_ends() -> None:
    known = memory()
    known.source.hold = asyncio.Event()
    waiting = begin(known.ask())
    await settled()
    known.verifier.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting
