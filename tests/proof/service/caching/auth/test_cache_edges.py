"""Edges of the cache: races, limits, counts and what the log says."""

import asyncio
import traceback

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from app.auth.cache.verifier import open_cache
from app.auth.errors import ProviderUnavailable
from app.settings import Settings
from dev.provider import Provider
from tests.auth.cached import Source, cached, claims
from tests.auth.test_cache import CACHED, CALLED, INACTIVE, begin_held, settle
from tests.callers import NOW, Clock, bearer
from tests.conftest import IssueToken, Start, read_settings


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
    assert known.source.calls.count("other-99") == 1
    await known.look_up("other-80")
    assert known.source.calls.count("other-80") == 2


@pytest.mark.anyio
async def test_junk_evicts_junk() -> None:
    known = cached(CACHE_MAX_ENTRIES="10")
    for number in (*range(11), 10, 0):
        await known.look_up(f"junk-{number}")

    assert known.source.calls[11:] == ["junk-0"]


@pytest.mark.anyio
async def test_negative_ttl_may_be_longer() -> None:
    """The TTL of entries does not limit it."""
    known = cached(CACHE_TTL="1", CACHE_NEGATIVE_TTL="60")
    await known.look_up("junk")
    known.clock.now += 59
    await known.look_up("junk")

    assert known.source.calls == ["junk"]


@pytest.mark.anyio
async def test_refusal_stays_after_its_ttl() -> None:
    """The entry from before the refusal does not count again."""
    known = cached(CACHE_NEGATIVE_TTL="5")
    await known.look_up()
    known.source.results.clear()
    await known.look_up(max_age=0)
    known.clock.now += 6

    assert await known.look_up() == "inactive"
    assert len(known.source.calls) == 3


@pytest.mark.anyio
async def test_refusal_ends_with_a_newer_result() -> None:
    """Also when the entry expires before the refusal would have."""
    known = cached(CACHE_TTL="1", CACHE_NEGATIVE_TTL="60")
    await known.look_up("late")
    known.source.results["late"] = claims("bert")
    await known.look_up("late", max_age=0)
    known.clock.now += 1

    assert await known.look_up("late") == "bert"


@pytest.mark.anyio
async def test_shared_refusal_does_not_grow() -> None:
    """Each of its callers would add its frames to the traceback."""
    known = cached()
    known.source.results["good"] = refusal = ProviderUnavailable("timeout")
    gate, waiting = await begin_held(known, 100)
    gate.set()
    await asyncio.gather(*waiting)

    assert len(traceback.extract_tb(refusal.__traceback__)) < 10


@pytest.mark.anyio
async def test_callers_share_a_fresh_call() -> None:
    known = cached()
    gate, waiting = await begin_held(known, max_age=0)
    waiting += [asyncio.create_task(known.look_up()) for _ in range(2)]
    await settle()
    gate.set()

    assert await asyncio.gather(*waiting) == ["anna"] * 3
    assert known.source.calls == ["good"]


@pytest.mark.anyio
async def test_call_older_than_the_ttl_is_not_shared() -> None:
    """Its result would be too old."""
    known = cached(CACHE_TTL="1")
    gate, (older,) = await begin_held(known)
    known.clock.now += 1
    newer = asyncio.create_task(known.look_up())
    await settle()
    gate.set()

    assert [await older, await newer] == ["anna", "anna"]
    assert known.source.calls == ["good", "good"]


@pytest.mark.anyio
async def test_finished_call_is_not_shared() -> None:
    """Its error would be an outage without end."""
    known = cached()
    known.source.results["good"] = ProviderUnavailable("timeout")
    await known.look_up()
    known.source.results["good"] = claims()

    assert await known.look_up() == "anna"


@pytest.mark.anyio
async def test_ttl_starts_with_the_call() -> None:
    """The provider may have looked at the token long before its response arrived."""
    known = cached(CACHE_TTL="30")
    gate, (waiting,) = await begin_held(known)
    known.clock.now += 29
    gate.set()
    await waiting
    known.clock.now += 1
    await known.look_up()

    assert len(known.source.calls) == CALLED


@pytest.mark.anyio
@pytest.mark.parametrize("ends_first", ["older", "newer"])
async def test_newer_call_decides(ends_first: str) -> None:
    """A fresh lookup does not share an older call, and the older result is not stored."""
    known = cached()
    older_gate, (older,) = await begin_held(known)
    known.source.results["good"] = INACTIVE
    newer_gate, (newer,) = await begin_held(known, max_age=0)
    gates = [older_gate, newer_gate]
    for gate in gates if ends_first == "older" else reversed(gates):
        gate.set()
        await settle()

    assert [await older, await newer, await known.look_up()] == ["anna", "inactive", "inactive"]
    assert known.source.calls == ["good", "good"]


@pytest.mark.anyio
async def test_close_cancels_pending_calls() -> None:
    """They are not kept: a next lookup starts another one."""
    known = cached()
    _, (waiting,) = await begin_held(known)
    known.verifier.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await known.look_up() == "anna"


@pytest.mark.anyio
async def test_end_cancels_pending_calls() -> None:
    source = Source({"good": claims()}, gate=asyncio.Event())
    async with open_cache(source, read_settings(Settings), Clock()) as verifier:
        waiting = asyncio.create_task(verifier.verify("good"))
        await settle()

    with pytest.raises(asyncio.CancelledError):
        await waiting


GOOD = [
    ("CACHE_URL", "memory://"),
    ("CACHE_URL", "redis://localhost"),
    ("CACHE_URL", "redis://user:p%40ss@10.0.0.7:6379/15"),
    ("CACHE_URL", "rediss://:p%40ss@cache.example.com:6380"),
    ("CACHE_TTL", "0"),
    ("CACHE_TTL", "300"),
    ("CACHE_NEGATIVE_TTL", "0"),
    ("CACHE_NEGATIVE_TTL", "60"),
    ("CACHE_MAX_ENTRIES", "1"),
]


@pytest.mark.parametrize(("variable", "value"), GOOD)
def test_good_setting_is_taken(variable: str, value: str) -> None:
    assert "p%40ss" not in repr(read_settings(Settings, **{variable: value}))


URLS = {"redis://cache.example.com": 1, "rediss://cache.example.com": 0, "redis://10.0.0.7": 0}


@pytest.mark.parametrize(("url", "warnings"), URLS.items())
def test_public_redis_without_tls_is_a_warning(
    start: Start, capsys: pytest.CaptureFixture[str], url: str, warnings: int
) -> None:
    start(CACHE_URL=url)

    assert capsys.readouterr().err.count("set CACHE_URL to rediss://") == warnings


@pytest.mark.parametrize(
    ("url", "lines"), [("memory://", 1), ("redis://:hush@10.0.0.7", 0)], ids=["memory", "Redis"]
)
def test_cache_in_memory_is_logged(
    start: Start, capsys: pytest.CaptureFixture[str], url: str, lines: int
) -> None:
    """Several processes share none then."""
    start(CACHE_URL=url)
    written = capsys.readouterr().err

    assert written.count("each process has its own") == lines
    assert "hush" not in written


def test_log_holds_no_subject_and_no_token(
    start: Start, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    client, good = start(LOG_LEVEL="DEBUG"), token(subject="anna")
    for sent in (good, good, "junk", "junk"):
        client.get("/probe", headers=bearer(sent))
    written = capsys.readouterr().err

    assert "anna" not in written
    assert good not in written


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
        calls = [caller.get("/probe", headers=bearer(token)) for _ in range(number)]
        return [response.status_code for response in await asyncio.gather(*calls)]


@pytest.mark.anyio
async def test_first_requests_share_a_call(
    provider: Provider, clock: Clock, token: IssueToken
) -> None:
    good = token()
    provider.delay = 0.05

    assert await send_at_once(provider, clock, good, 100) == [200] * 100
    assert provider.calls == 1
