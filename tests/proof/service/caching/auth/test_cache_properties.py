"""The cache against a model that is too simple to be wrong, over random histories.

The model knows when each token was active. A result is right if it was true at a moment that the
caller allows: no longer ago than the TTL or the caller's `max_age`.
"""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from app.auth.cache.memory import CacheEntry
from app.auth.cache.redis_store import RedisStore, decode
from app.auth.claims import parse_claims
from app.auth.errors import InvalidToken
from tests.auth.cached import Cached, FakeRedis, cached, claims
from tests.callers import NOW, Clock

# The same examples at every run. The first one takes long, as tables of Unicode are built for it.
same_examples = settings(
    derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TTL, NEGATIVE_TTL = 30, 5
TOKENS = ["a", "b"]
LIFETIME = 60
KEY = "k" * 64


@dataclass
class Model:
    """When each token was active."""

    history: dict[str, list[tuple[float, bool]]] = field(
        default_factory=lambda: {token: [(NOW, True)] for token in TOKENS}
    )

    def was(self, token: str, active: bool, since: float, now: float) -> bool:
        """Tell whether the token was active (or not) at some moment after `since`, up to `now`."""
        changes = self.history[token]
        ends = [start for start, _ in changes[1:]] + [float("inf")]
        return any(
            state is active and start <= now and (end > since or start == now)
            for (start, state), end in zip(changes, ends, strict=True)
        )


token = strategies.sampled_from(TOKENS)
step = strategies.one_of(
    strategies.tuples(
        strategies.just("look up"),
        token,
        strategies.sampled_from([None, 0, 3, 10]),
        strategies.sampled_from([0, 1]),
    ),
    strategies.tuples(strategies.just("revoke"), token),
    strategies.tuples(strategies.just("restore"), token),
    strategies.tuples(strategies.just("wait"), strategies.sampled_from([0.5, 2, 4, 11, 29])),
    strategies.tuples(strategies.just("hold"), strategies.sampled_from(["provider", "redis"])),
    strategies.tuples(strategies.just("release")),
)


@pytest.mark.parametrize("shared", [False, True], ids=["memory", "redis"])
@same_examples
@given(steps=strategies.lists(step, max_size=40))
def test_no_result_is_too_old(steps: list[tuple[object, ...]], shared: bool) -> None:
    """With Redis, two processes share entries, and either may call the provider."""
    asyncio.run(go(steps, shared))


async def go(steps: list[tuple[object, ...]], shared: bool) -> None:
    """Run the steps, and hold the result of each lookup against the model."""
    clock, redis = Clock(), FakeRedis() if shared else None
    caches = [
        cached(clock, redis=redis, CACHE_TTL=str(TTL), CACHE_NEGATIVE_TTL=str(NEGATIVE_TTL))
        for _ in range(2 if shared else 1)
    ]
    model = Model()
    update(caches, model)
    waiting: list[asyncio.Task[None]] = []
    for step in steps:
        match step:
            case ("look up", str(name), max_age, int(process)):
                assert max_age is None or isinstance(max_age, int)
                known = caches[process % len(caches)]
                waiting.append(asyncio.create_task(look_up(known, model, name, max_age)))
            case ("revoke" | "restore" as change, str(name)):
                clock.now += 0.001  # not at the moment of a call that was sent before
                model.history[name].append((clock.now, change == "restore"))
                update(caches, model)
            case ("wait", float(seconds) | int(seconds)):
                clock.now += seconds
            case ("hold", "provider"):
                for known in caches:
                    known.source.gate = known.source.gate or asyncio.Event()
            case ("hold", "redis") if redis is not None:
                redis.gate = redis.gate or asyncio.Event()
            case ("release",):
                release(caches, redis)
        await settle()
    release(caches, redis)
    await asyncio.gather(*waiting)
    await settle()
    assert len(asyncio.all_tasks()) == 1


async def settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(15):
        await asyncio.sleep(0)


def update(caches: list[Cached], model: Model) -> None:
    """Let the provider return what is true now."""
    for known in caches:
        for name in TOKENS:
            active = model.history[name][-1][1]
            result = claims(name, LIFETIME) if active else InvalidToken("inactive")
            known.source.results[name] = result


def release(caches: list[Cached], redis: FakeRedis | None) -> None:
    """Let what was held go on."""
    for holder in [known.source for known in caches] + ([redis] if redis else []):
        if holder.gate is not None:
            holder.gate.set()
            holder.gate = None


async def look_up(known: Cached, model: Model, name: str, max_age: int | None) -> None:
    """Look a token up, and hold the result against the model."""
    begun_at = known.clock.now
    result = await known.look_up(name, max_age)
    active = result == name
    age = (TTL if active else NEGATIVE_TTL) if max_age is None else max_age
    # A call may have been in flight for as long as the provider took.
    assert model.was(name, active, begun_at - age, known.clock.now), (name, result, max_age)
    if result != "inactive":
        assert active


@same_examples
@given(raw=strategies.binary(max_size=100))
def test_random_bytes_are_a_miss(raw: bytes) -> None:
    """Nor does an exception leave."""
    assert decode(raw, KEY, NOW) is None


texts = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=10)
extras = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | texts,
    lambda inner: strategies.lists(inner) | strategies.dictionaries(texts, inner),
    max_leaves=10,
)
documents = strategies.fixed_dictionaries(
    {"client_id": texts, "scope": texts, "x": extras},
    optional={
        "sub": texts,
        "iss": texts,
        "aud": strategies.lists(texts),
        "exp": strategies.integers(1, 10**12) | strategies.floats(1, 1e12),
        "nbf": strategies.integers(0, 10**12),
        "iat": strategies.integers(0, 10**12),
        "token_use": texts,
        "token_type": texts,
        "cnf": strategies.just({"jkt": "x"}),
    },
)


@same_examples
@given(document=documents)
def test_no_claim_is_lost_or_changed(document: dict[str, object]) -> None:
    """The policy sees the same claims on a hit as after a call."""
    entry = CacheEntry(key=KEY, sent_at=0, claims=parse_claims(document))

    assert asyncio.run(written_and_read(entry)) == entry


async def written_and_read(entry: CacheEntry) -> CacheEntry | None:
    """Return what another process reads of an entry."""
    store = RedisStore(FakeRedis(), 30, Clock(0))
    await store.set(entry)
    return await store.get(KEY)
