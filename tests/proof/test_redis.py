"""Answers in a real Redis: shared, hidden, and worth nothing where they are not what we wrote."""

import asyncio
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from starlette.testclient import TestClient

from app.auth.counters import Counters
from app.auth.redis_store import PAUSE, SILENCE, RedisStore, open_redis
from dev.environment import HOST
from dev.provider import Provider
from tests.callers import Clock, bearer
from tests.conftest import IssueToken, Start
from tests.redis_server import RedisServer, redis_server
from tests.remembering import AUTHORITY, Memory, claims, memory, running

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not installed"
)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Redis time on a machine that is busy with other things."""
    monkeypatch.setattr("app.auth.redis_store.LONGEST_WAIT", 5)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def redis(process: RedisServer) -> Iterator["Redis"]:
    """Return a client of the test's own, of an empty server."""
    with process.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a server that the test may end."""
    with redis_server(tmp_path) as running:
        yield running


def status(client: TestClient, token: str) -> int:
    return client.get("/widgets", headers=bearer(token)).status_code


def test_two_services_share_answers(
    process: RedisServer, redis: "Redis", provider: Provider, clock: Clock, token: IssueToken
) -> None:
    """Also which scopes a token has, so nobody gains any by going to another one."""
    good = token(scopes=("read:widgets",))
    with running(provider, clock, CACHE_URL=process.url) as one:
        first = status(one, good)
    provider.outage = True
    with running(provider, clock, CACHE_URL=process.url) as two:
        written = two.post("/widgets", headers=bearer(good), json={"name": "lever"})

        assert [first, status(two, good), written.status_code] == [200, 200, 403]


def test_another_service_of_another_provider_sees_nothing(
    process: RedisServer, redis: "Redis"
) -> None:
    """The keys are of one provider, and so are their names."""
    one = memory_names(redis, process, ("one",))
    two = memory_names(redis, process, ("two",))

    assert one.isdisjoint(two)


def memory_names(redis: "Redis", process: RedisServer, authority: tuple[str, ...]) -> set[bytes]:
    """Return the names under which an answer about the same token is kept."""

    async def keep() -> None:
        async with remembering(process, authority=authority) as known:
            await known.ask()

    redis.flushall()
    asyncio.run(keep())
    return set(names(redis))


def test_redis_sees_no_token(
    process: RedisServer, redis: "Redis", start: Start, token: IssueToken
) -> None:
    """Nobody who watches it learns one, or finds it by its plain hash."""
    client = start(CACHE_URL=process.url)
    good = token(subject="anna", scopes=("write:widgets",))
    seen: list[str] = []
    with redis.monitor() as monitor:  # type: ignore[no-untyped-call]
        for _ in range(2):
            status(client, good)
        client.delete("/widgets/none", headers=bearer(good))
        status(client, "junk")
        redis.set("end", 1)
        while not seen or "end" not in seen[-1]:
            seen.append(monitor.next_command()["command"])

    assert len(seen) > 4
    assert not any(good in command or good[:20] in command for command in seen)
    assert not any("junk" in command for command in seen)


def names(redis: "Redis") -> list[bytes]:
    """Return the names of all that Redis holds."""
    return list(redis.scan_iter())


@pytest.mark.parametrize("poison", [b"", b"junk", b"{}", b"x" * 10_000_000])
@pytest.mark.anyio
async def test_what_is_no_answer_of_ours_is_none(
    process: RedisServer, redis: "Redis", poison: bytes
) -> None:
    """Then the provider is asked, and its answer takes the place."""
    async with remembering(process) as known:
        await known.ask()
        (name,) = names(redis)
        redis.set(name, poison)
        outcomes = [await known.ask(), await known.ask()]

    assert outcomes == ["anna", "anna"]
    assert known.source.asked == ["good", "good"]


@pytest.mark.anyio
async def test_an_answer_of_another_token_is_none(process: RedisServer, redis: "Redis") -> None:
    """Whoever can write there cannot even give one token the claims of another by copying them."""
    async with remembering(process) as known:
        known.source.says["other"] = claims("bert")
        await known.ask()
        (name,) = names(redis)
        await known.ask("other")
        (other,) = set(names(redis)) - {name}
        redis.copy(name.decode(), other.decode(), replace=True)

        assert await known.ask("other") == "bert"


@pytest.mark.anyio
async def test_a_value_of_another_type_is_none(process: RedisServer, redis: "Redis") -> None:
    async with remembering(process) as known:
        await known.ask()
        (name,) = names(redis)
        redis.delete(name)
        redis.lpush(name, "mallory")

        assert [await known.ask(), await known.ask()] == ["anna", "anna"]


@asynccontextmanager
async def remembering(
    process: RedisServer,
    clock: Clock | None = None,
    authority: tuple[str, ...] = AUTHORITY,
    url: str | None = None,
    time_limit: float = 50,
) -> AsyncIterator[Memory]:
    """Return a memory in Redis in front of a source."""
    clock = clock or Clock()
    counters = Counters()
    async with open_redis(url or process.url, authority, 30, time_limit, clock, counters) as store:
        known = memory(clock, store, authority)
        known.counters = counters
        yield known


@pytest.mark.anyio
async def test_an_answer_leaves_redis_when_its_time_is_over(
    process: RedisServer, redis: "Redis"
) -> None:
    async with remembering(process) as known:
        known.source.says["short"] = claims(lifetime=3)
        await known.ask()
        await known.ask("short")
    left = sorted(redis.pttl(name) for name in names(redis))

    assert 2_000 < left[0] <= 3_000
    assert 29_000 < left[1] <= 30_000


@pytest.mark.anyio
async def test_a_fresh_no_counts_for_everybody(process: RedisServer, redis: "Redis") -> None:
    async with remembering(process) as one, remembering(process) as two:
        await one.ask()
        two.source.says.clear()
        fresh = await two.ask(max_age=0)
        one.source.says.clear()

        assert [fresh, await one.ask()] == ["inactive", "inactive"]


def test_a_redis_that_is_killed_is_missed_by_nobody(
    server: RedisServer,
    start: Start,
    provider: Provider,
    token: IssueToken,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """I18: live calls instead, and used again when it is back. One line says so, not one each."""
    client = start(CACHE_URL=server.url)
    good = token()
    outcomes = [status(client, good)]
    server.kill()
    outcomes += [status(client, good) for _ in range(50)]
    lines = capsys.readouterr().err.count("Redis failed")
    server.start()
    clock.now += PAUSE
    outcomes += [status(client, good), status(client, good)]
    provider.outage = True
    outcomes.append(status(client, good))

    assert outcomes == [200] * 54
    assert lines == 1


def test_a_redis_that_stays_away_is_mentioned_once_a_minute(
    server: RedisServer,
    start: Start,
    token: IssueToken,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.kill()
    client = start(CACHE_URL=server.url)
    good = token()
    for _ in range(int(2 * SILENCE / PAUSE)):
        status(client, good)
        clock.now += PAUSE

    assert capsys.readouterr().err.count("Redis failed, the provider is asked reason=") == 2


def test_a_redis_that_hangs_is_not_waited_for(
    server: RedisServer, start: Start, token: IssueToken
) -> None:
    """The first one waits a little, the next ones not at all: they do not even come to it."""
    client = start(CACHE_URL=server.url, IDP_TIMEOUT="1")
    good = token()
    before = status(client, good)
    taken = server.connections()
    server.hang()
    outcomes = [status(client, good) for _ in range(30)]
    server.wake()

    assert [before, *outcomes] == [200] * 31
    assert server.connections() <= taken + 2


@pytest.mark.anyio
async def test_a_refused_command_is_no_outage(server: RedisServer) -> None:
    """A Redis that is full keeps nothing more, and still knows what it knows."""
    async with remembering(server) as known:
        known.source.says["other"] = claims("bert")
        await known.ask()
        with server.client() as client:
            client.config_set("maxmemory", "1")
            client.config_set("maxmemory-policy", "noeviction")
        outcomes = [await known.ask("other"), await known.ask()]

    assert outcomes == ["bert", "anna"]
    assert known.source.asked == ["good", "other"]


class Selective(AsyncRedis):
    """A client that gets answers about some keys at once, and about others never."""

    async def get(self, name: str) -> bytes | None:  # type: ignore[override]
        if "slow" in name:
            await asyncio.sleep(60)
        return None


@pytest.mark.anyio
async def test_a_process_that_is_slow_is_no_outage() -> None:
    """Where Redis answered others meanwhile, it is not Redis that has to be left alone."""
    counters = Counters()
    async with Selective() as client:
        store = RedisStore(client, AUTHORITY, 30, 0.05, Clock(), counters)
        slow = asyncio.create_task(store.get("slow"))
        await asyncio.sleep(0)
        await store.get("quick")
        await slow
        calls = counters.store_errors
        await store.get("slow")

    assert [calls, counters.store_errors] == [1, 2]


@pytest.mark.anyio
async def test_an_old_answer_is_none(process: RedisServer, redis: "Redis") -> None:
    """Even where Redis has not let go of it yet."""
    async with remembering(process) as known:
        known.source.says["short"] = claims(lifetime=3)
        await known.ask()
        await known.ask("short")
        known.clock.now += 3
        await known.ask("short")
        known.clock.now += 27
        await known.ask()

    assert known.source.asked == ["good", "short", "short", "good"]


def test_a_password_is_used(
    tmp_path: Path, provider: Provider, clock: Clock, token: IssueToken
) -> None:
    good = token()
    with redis_server(tmp_path, password="hush") as server, server.client() as client:
        loud = server.url.replace("hush", "loud")
        with running(provider, clock, CACHE_URL=loud) as wrong:
            refused = status(wrong, good)
        before = client.dbsize()
        with running(provider, clock, CACHE_URL=server.url) as right:
            accepted = status(right, good)
        after = client.dbsize()

    assert [refused, before, accepted, after] == [200, 0, 200, 1]


BABBLE = {
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": b"\x00" * 100,
    "half-a-list": b"*3\r\n:1\r\n",
    "answers-of-another-kind": b"+OK\r\n" * 100,
}


@pytest.mark.parametrize("babble", BABBLE.values(), ids=BABBLE)
def test_what_is_no_redis_is_missed_by_nobody(
    start: Start, token: IssueToken, babble: bytes
) -> None:
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connection.sendall(babble)

        threading.Thread(target=serve, daemon=True).start()
        client = start(CACHE_URL=f"redis://{HOST}:{listener.getsockname()[1]}")
        good = token()
        outcomes = [status(client, good) for _ in range(3)]
        listener.shutdown(socket.SHUT_RDWR)

    assert outcomes == [200] * 3
