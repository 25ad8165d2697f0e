"""Remembering against a model that is too simple to be wrong, over random histories.

The model knows when each token was good. An answer is right when it was true at a moment that the
caller allows: not longer ago than answers are cached, or than the caller asked for.
"""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, strategies

from app.auth.errors import InvalidToken
from tests.callers import NOW
from tests.remembering import Memory, claims, memory

TTL, NEGATIVE_TTL = 30, 5
TOKENS = ["a", "b"]
LIFETIME = 60


@dataclass
class Model:
    """When each token was good, and since when answers about it count."""

    history: dict[str, list[tuple[float, bool]]] = field(
        default_factory=lambda: {token: [(NOW, True)] for token in TOKENS}
    )

    def change(self, token: str, now: float, good: bool) -> None:
        self.history[token].append((now, good))

    def was(self, token: str, good: bool, since: float, now: float) -> bool:
        """Tell whether the token was good (or not) at some moment after `since`, up to `now`."""
        changes = self.history[token]
        ends = [start for start, _ in changes[1:]] + [float("inf")]
        return any(
            state is good and start <= now and (end > since or start == now)
            for (start, state), end in zip(changes, ends, strict=True)
        )


token = strategies.sampled_from(TOKENS)
step = strategies.one_of(
    strategies.tuples(strategies.just("ask"), token, strategies.sampled_from([None, 0, 3, 10])),
    strategies.tuples(strategies.just("revoke"), token),
    strategies.tuples(strategies.just("restore"), token),
    strategies.tuples(strategies.just("wait"), strategies.sampled_from([0.5, 2, 4, 11, 29])),
    strategies.tuples(strategies.just("hold")),
    strategies.tuples(strategies.just("release")),
)


@given(steps=strategies.lists(step, max_size=40))
def test_no_answer_is_older_than_was_promised(steps: list[tuple[object, ...]]) -> None:
    asyncio.run(go(steps))


async def go(steps: list[tuple[object, ...]]) -> None:
    known = memory(CACHE_TTL=str(TTL), CACHE_NEGATIVE_TTL=str(NEGATIVE_TTL))
    model = Model()
    say(known, model)
    waiting: list[asyncio.Task[None]] = []
    for step in steps:
        match step:
            case ("ask", str(name), max_age):
                assert max_age is None or isinstance(max_age, int)
                waiting.append(asyncio.create_task(ask(known, model, name, max_age)))
            case ("revoke" | "restore" as change, str(name)):
                model.change(name, known.clock.now, change == "restore")
                say(known, model)
            case ("wait", float(seconds) | int(seconds)):
                known.clock.now += seconds
            case ("hold",):
                known.source.hold = known.source.hold or asyncio.Event()
            case ("release",):
                release(known)
        for _ in range(10):
            await asyncio.sleep(0)
    release(known)
    await asyncio.gather(*waiting)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1


def say(known: Memory, model: Model) -> None:
    """Have the provider say what is true now."""
    for name in TOKENS:
        good = model.history[name][-1][1]
        known.source.says[name] = claims(name, LIFETIME) if good else InvalidToken("inactive")


def release(known: Memory) -> None:
    if known.source.hold is not None:
        known.source.hold.set()
        known.source.hold = None


async def ask(known: Memory, model: Model, name: str, max_age: int | None) -> None:
    """Ask, and hold what comes of it against the model."""
    asked_at = known.clock.now
    outcome = await known.ask(name, max_age)
    good = outcome == name
    age = (TTL if good else NEGATIVE_TTL) if max_age is None else max_age
    # A question may have been under way for as long as the provider took.
    assert model.was(name, good, asked_at - age, known.clock.now), (name, outcome, max_age)
    if outcome != "inactive":
        assert good
