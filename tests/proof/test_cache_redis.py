"""The cache beside a real Redis, which is shared, hostile, slow or down."""

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
from redis import Redis
from starlette.testclient import TestClient

from app.auth.cache.redis_store import LOG_INTERVAL, PAUSE, open_redis
from app.auth.cache.verifier import CachedVerifier
from app.settings import Settings
from dev.provider import Provider
from proof.redis_server import HOST, RedisServer, redis_server
from tests.auth.cached import Cached, Source, claims, counts
from tests.callers import Clock, bearer
from tests.conftest import IssueToken, read_settings

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not installed"
)
pytest_plugins = ["tests.conftest"]
TTL = 30


@pytest.fixture(autouse=True)
def long_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Redis time on a busy machine."""
    monkeypatch.setattr("app.auth.cache.redis_store.TIME_LIMIT", 5)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Run a server for all tests."""
    with redis_server(tmp_path_factory.mktemp("redis")) as running_server:
        yield running_server


@pytest.fixture
def redis(process: RedisServer) -> Iterator["Redis"]:
    """Return a client of an empty server."""
    with process.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a server that the test may end."""
    with redis_server(tmp_path) as running_server:
        yield running_server


@contextmanager
def running(provider: Provider, clock: Clock, **variables: str) -> Iterator[TestClient]:
    """Run the service. Two at once would share a TestClient's loop."""
    from app.main import create_app

    settings = read_settings(Settings, **variables)
    app = create_app(settings, transport=httpx.ASGITransport(provider), clock=clock)
    with TestClient(app) as client:
        yield client


@asynccontextmanager
async def replica(server: RedisServer, clock: Clock, **variables: str) -> AsyncIterator[Cached]:
    """Run a cache with entries at `server`, as one process has it."""
    settings = read_settings(Settings, CACHE_URL=server.url, CACHE_TTL=str(TTL), **variables)
    source = Source({"good": claims()})
    async with open_redis(settings, clock) as store:
        yield Cached(source, CachedVerifier(source, settings, clock, store), clock)


def status(client: TestClient, token: str, path: str = "/probe") -> int:
    """Return the status of a request with a token."""
    return client.get(path, headers=bearer(token)).status_code


def names(redis: "Redis") -> list[bytes]:
    """Return the names of all values."""
    return list(redis.scan_iter())


def test_services_share_entries(
    process: RedisServer, redis: "Redis", provider: Provider, clock: Clock, token: IssueToken
) -> None:
    """With the scopes of the token, so another service accepts no more than the first."""
    good = token(scopes=("read:widgets",))
    with running(provider, clock, CACHE_URL=process.url) as one:
        first = status(one, good)
    provider.outage = True
    with running(provider, clock, CACHE_URL=process.url) as two:
        assert [first, status(two, good), status(two, good, "/probe/notes/a")] == [200, 200, 403]


def test_redis_sees_no_token(
    process: RedisServer, redis: "Redis", provider: Provider, clock: Clock, token: IssueToken
) -> None:
    """Neither in a name nor in a value nor in any other command."""
    good = token(subject="anna", scopes=("write:widgets",))
    seen: list[str] = []
    with (
        redis.monitor() as monitor,
        running(provider, clock, CACHE_URL=process.url) as client,
    ):
        status(client, good)
        client.delete("/probe", headers=bearer(good))
        status(client, "junk")
        redis.set("end", 1)
        while not seen or "end" not in seen[-1]:
            seen.append(monitor.next_command()["command"])

    assert len(seen) > 4
    assert not any(good in command or good[:20] in command for command in seen)
    assert not any("junk" in command for command in seen)


@pytest.mark.anyio
async def test_identities_use_other_names(process: RedisServer, redis: "Redis") -> None:
    """Entries of another provider are not even read."""
    for url in ("http://one/introspect", "http://two/introspect"):
        async with replica(process, Clock(), HYDRA_INTROSPECT_URL=url) as known:
            await known.look_up()

    assert len(names(redis)) == 2


@pytest.mark.parametrize("poison", [b"", b"junk", b"{}", b"x" * 10_000_000])
@pytest.mark.anyio
async def test_foreign_value_is_replaced(
    process: RedisServer, redis: "Redis", poison: bytes
) -> None:
    """The provider is called, and its result is stored."""
    clock = Clock()
    async with replica(process, clock) as one, replica(process, clock) as two:
        await one.look_up()
        (name,) = names(redis)
        redis.set(name, poison)
        seen = [await two.look_up(), await two.look_up()]

    assert seen == ["anna", "anna"]
    assert two.source.calls == ["good"]
    assert redis.get(name) != poison


@pytest.mark.anyio
async def test_copied_entry_is_a_miss(process: RedisServer, redis: "Redis") -> None:
    """Copying entries gives no token the claims of another one."""
    clock = Clock()
    async with replica(process, clock) as one, replica(process, clock) as two:
        one.source.results["other"] = two.source.results["other"] = claims("bert")
        await one.look_up()
        (name,) = names(redis)
        await one.look_up("other")
        (other,) = set(names(redis)) - {name}
        redis.copy(name.decode(), other.decode(), replace=True)

        assert await two.look_up("other") == "bert"


@pytest.mark.anyio
async def test_value_of_another_type_is_a_miss(process: RedisServer, redis: "Redis") -> None:
    """Redis replies with an error to a GET of a list."""
    clock = Clock()
    async with replica(process, clock) as one, replica(process, clock) as two:
        await one.look_up()
        (name,) = names(redis)
        redis.delete(name)
        redis.lpush(name, "mallory")

        assert [await two.look_up(), await two.look_up()] == ["anna", "anna"]


@pytest.mark.anyio
async def test_entries_expire_in_redis(process: RedisServer, redis: "Redis") -> None:
    """At the end of the TTL, or at `exp` if that is earlier."""
    async with replica(process, Clock()) as known:
        known.source.results["short"] = claims(lifetime=3)
        await known.look_up()
        await known.look_up("short")
    short, full = sorted(redis.pttl(name) for name in names(redis))

    assert 2_000 < short <= 3_000
    assert 29_000 < full <= 30_000


@pytest.mark.anyio
async def test_old_entry_is_a_miss(process: RedisServer, redis: "Redis") -> None:
    """Even if Redis has not deleted it yet."""
    clock = Clock()
    async with replica(process, clock) as one, replica(process, clock) as two:
        one.source.results["short"] = two.source.results["short"] = claims(lifetime=3)
        await one.look_up()
        await one.look_up("short")
        clock.now += 3
        await two.look_up("short")
        clock.now += 27
        await two.look_up()

    assert two.source.calls == ["short", "good"]


@pytest.mark.anyio
async def test_fresh_refusal_reaches_all_within_the_ttl(
    process: RedisServer, redis: "Redis"
) -> None:
    """A process without an entry of its own learns it at once."""
    clock = Clock()
    async with (
        replica(process, clock) as one,
        replica(process, clock) as two,
        replica(process, clock) as three,
    ):
        seen = [await one.look_up(), await two.look_up()]
        for known in (one, two, three):
            known.source.results.clear()
        clock.now += 1
        seen += [await two.look_up(max_age=0), await three.look_up(), await one.look_up()]
        clock.now += TTL - 1
        seen.append(await one.look_up())

    assert seen == ["anna", "anna", "inactive", "inactive", "anna", "inactive"]


@pytest.mark.anyio
async def test_second_hit_needs_no_redis(server: RedisServer) -> None:
    """Also for an entry that another process wrote."""
    clock, before = Clock(), counts()
    async with replica(server, clock) as one, replica(server, clock) as two:
        await one.look_up()
        await two.look_up()
        server.kill()
        seen = [await one.look_up(), await two.look_up()]

    assert seen == ["anna", "anna"]
    assert [two.source.calls, (counts() - before)["store_error"]] == [[], 0]


@pytest.mark.anyio
async def test_full_redis_still_returns_entries(server: RedisServer) -> None:
    """It refuses to store, which is no failure of the server."""
    clock = Clock()
    async with replica(server, clock) as one, replica(server, clock) as two:
        await one.look_up()
        two.source.results["other"] = claims("bert")
        with server.client() as client:
            client.config_set("maxmemory", "1")
            client.config_set("maxmemory-policy", "noeviction")
        seen = [await two.look_up("other"), await two.look_up()]

    assert seen == ["bert", "anna"]
    assert two.source.calls == ["other"]


def test_killed_redis_is_used_again(
    server: RedisServer,
    provider: Provider,
    token: IssueToken,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Meanwhile the provider is called. One line in the log says so, not one per request."""
    tokens = [token() for _ in range(50)]
    with running(provider, clock, CACHE_URL=server.url) as client:
        seen = [status(client, tokens[0])]
        server.kill()
        seen += [status(client, each) for each in tokens]
        lines = capsys.readouterr().err.count("Redis failed")
        server.start()
        clock.now += PAUSE
        late = token()
        seen.append(status(client, late))
    provider.outage = True
    with running(provider, clock, CACHE_URL=server.url) as client:
        seen.append(status(client, late))

    assert seen == [200] * 53
    assert lines == 1


def test_absent_redis_is_logged_once_a_minute(
    server: RedisServer,
    provider: Provider,
    token: IssueToken,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """However often it is tried."""
    server.kill()
    with running(provider, clock, CACHE_URL=server.url) as client:
        for _ in range(int(2 * LOG_INTERVAL / PAUSE)):
            status(client, token())
            clock.now += PAUSE

    assert capsys.readouterr().err.count("Redis failed, going on without it reason=") == 2


@contextmanager
def stopped(server: RedisServer) -> Iterator[str]:
    """Stop the process. The system goes on to accept connections."""
    server.hang()
    try:
        yield server.url
    finally:
        server.wake()


@contextmanager
def paused(server: RedisServer) -> Iterator[str]:
    """Let the server accept commands and reply to none. It is killed while it does so."""
    with server.client() as client:
        client.client_pause(60_000)
    yield server.url


@contextmanager
def full(_: RedisServer) -> Iterator[str]:
    """Return the address of a server that takes no more connections, which then hang."""
    with socket.create_server((HOST, 0), backlog=0) as listener:
        address = listener.getsockname()
        with ExitStack() as stack:
            for _ in range(5):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(address)
            yield f"redis://{HOST}:{address[1]}"


@contextmanager
def absent(server: RedisServer) -> Iterator[str]:
    """Return the address of a server that is gone."""
    server.kill()
    yield server.url


@pytest.mark.parametrize("outage", [stopped, paused, full, absent])
@pytest.mark.anyio
async def test_silent_redis_is_left_alone(
    server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    outage: Callable[[RedisServer], AbstractContextManager[str]],
) -> None:
    """Concurrent lookups wait once for the time limit of a command, the next ones do not."""
    monkeypatch.setattr("app.auth.cache.redis_store.TIME_LIMIT", 0.5)
    tokens = [f"token-{number}" for number in range(200)]
    with outage(server) as url:
        settings = read_settings(Settings, CACHE_URL=url)
        clock, before = Clock(), counts()
        source = Source({each: claims(each) for each in tokens})
        async with open_redis(settings, clock) as store:
            known = Cached(source, CachedVerifier(source, settings, clock, store), clock)
            begun_at = time.monotonic()
            seen = await asyncio.gather(*map(known.look_up, tokens[:100]))
            first = time.monotonic() - begun_at
            errors = (counts() - before)["store_error"]
            seen += await asyncio.gather(*map(known.look_up, tokens[100:]))
            both = time.monotonic() - begun_at

    assert seen == tokens
    assert first < 2
    assert both - first < 0.4
    assert 0 < errors == (counts() - before)["store_error"]


@pytest.mark.anyio
async def test_late_reply_is_for_no_other_command(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection whose command was given up is not used again."""
    clock = Clock()
    tokens = [f"token-{number}" for number in range(100)]
    async with replica(server, clock) as one, replica(server, clock) as two:
        one.source.results = {each: claims(each) for each in tokens}
        two.source.results = {each: claims("provider") for each in tokens}
        await asyncio.gather(*map(one.look_up, tokens))
        await asyncio.gather(*map(two.look_up, tokens[:20]))
        with monkeypatch.context() as patch, stopped(server):
            patch.setattr("app.auth.cache.redis_store.TIME_LIMIT", 0.2)
            meanwhile = await asyncio.gather(*map(two.look_up, tokens[20:60]))
        clock.now += PAUSE
        seen = await asyncio.gather(*map(two.look_up, tokens[60:]))

    assert meanwhile == ["provider"] * 40
    assert seen == tokens[60:]


def test_password_is_used(
    tmp_path: Path, provider: Provider, clock: Clock, token: IssueToken
) -> None:
    """With a wrong one the service works, without Redis."""
    good = token()
    with redis_server(tmp_path, password="hush") as server, server.client() as client:  # noqa: S106
        wrong = server.url.replace("hush", "loud")
        with running(provider, clock, CACHE_URL=wrong) as service:
            refused = status(service, good)
        before = client.dbsize()
        with running(provider, clock, CACHE_URL=server.url) as service:
            accepted = status(service, good)
        after = client.dbsize()

    assert [refused, before, accepted, after] == [200, 0, 200, 1]


BABBLE = {
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": b"\x00" * 100,
    "half a list": b"*3\r\n:1\r\n",
    "replies of another type": b"+OK\r\n" * 100,
}


@pytest.mark.parametrize("babble", BABBLE.values(), ids=BABBLE)
def test_other_servers_are_misses(
    provider: Provider, clock: Clock, token: IssueToken, babble: bytes
) -> None:
    """Whatever a server sends that is no Redis, requests get a response."""
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
        url = f"redis://{HOST}:{listener.getsockname()[1]}"
        with running(provider, clock, CACHE_URL=url) as client:
            seen = [status(client, token()) for _ in range(3)]
        listener.shutdown(socket.SHUT_RDWR)

    assert seen == [200] * 3


@pytest.mark.anyio
async def test_many_processes_and_tokens(process: RedisServer, redis: "Redis") -> None:
    """Each process calls the provider for what no other one has cached."""
    clock = Clock()
    tokens = [f"token-{number}" for number in range(200)]
    async with replica(process, clock) as one, replica(process, clock) as two:
        for known in (one, two):
            known.source.results.update({each: claims(each) for each in tokens})
        await asyncio.gather(*(one.look_up(each) for each in tokens * 3))
        seen = await asyncio.gather(*(two.look_up(each) for each in tokens * 3))

    assert seen == tokens * 3
    assert sorted(one.source.calls) == sorted(tokens)
    assert two.source.calls == []
