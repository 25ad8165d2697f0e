"""Marks in a real Redis: several services, one of which is told."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.auth.answers import StoreUnavailable
from app.auth.authority import authority
from app.auth.counters import Counters
from app.auth.redis_marks import RedisMarks
from app.auth.redis_store import PAUSE, RedisStore, open_redis
from app.auth.revocations import name_of
from app.wiring import AppSettings
from tests.callers import NOW, Clock, bearer
from tests.conftest import ENVIRON, IssueToken, Start
from tests.redis_server import RedisServer, redis_server
from tests.remembering import AUTHORITY
from tests.webhooks.conftest import Log, Sender, body

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not installed"
)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Redis time on a machine that is busy with other things."""
    monkeypatch.setattr("app.auth.redis_store.LONGEST_WAIT", 5)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as running:
        yield running


@asynccontextmanager
async def opened(server: RedisServer, clock: Clock) -> AsyncIterator[RedisStore]:
    async with open_redis(server.url, AUTHORITY, 30, 50, clock, Counters()) as store:
        yield store


@pytest.mark.anyio
async def test_marks_are_read_as_they_were_put(server: RedisServer) -> None:
    async with opened(server, Clock()) as store, opened(server, Clock()) as other:
        one, two = RedisMarks(store, 100), RedisMarks(other, 100)
        before = (await two.news(), two.epoch)
        await two.look()
        await one.put({name_of("subject", "anna"): NOW, name_of("subject", "bert"): NOW + 0.5})
        await one.put({name_of("subject", "anna"): NOW - 5})
        old = two.epoch
        await two.look()
        read = await two.news()

    assert before == ({}, None)
    assert old == b""
    assert two.epoch not in (None, b"")
    assert read == {name_of("subject", "anna"): NOW, name_of("subject", "bert"): NOW + 0.5}


@pytest.mark.anyio
async def test_many_marks_are_put_and_read_in_parts(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in the time of one call: all of them at once would take too long for ever."""
    monkeypatch.setattr("app.auth.redis_marks.PAGE", 2)
    many = {name_of("subject", f"user-{number}"): NOW for number in range(7)}
    async with opened(server, Clock()) as store, opened(server, Clock()) as other:
        await RedisMarks(store, 100).put(many)
        read = await RedisMarks(other, 100).news()

    assert read == many


@pytest.mark.anyio
async def test_a_mark_that_ends_between_two_parts_hides_no_other(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest end first, and those that are still to be read must not move up."""
    monkeypatch.setattr("app.auth.redis_marks.PAGE", 2)
    many = {name_of("subject", f"user-{number}"): NOW for number in range(7)}
    async with opened(server, Clock()) as store, opened(server, Clock()) as other:
        await RedisMarks(store, 100).put(many)
        read_part = other.in_time

        async def and_lose_the_oldest(work: Callable[[], Awaitable[Any]]) -> Any:
            part = await read_part(work)
            await store.client.zremrangebyrank(store.prefix + "marks", 0, 0)
            return part

        monkeypatch.setattr(other, "in_time", and_lose_the_oldest)
        read = await RedisMarks(other, 100).news()
        left = await RedisMarks(store, 100).news()

    assert len(left) == 4
    assert left.items() <= read.items()


@pytest.mark.anyio
async def test_what_is_no_mark_of_ours_is_none(server: RedisServer) -> None:
    async with opened(server, Clock()) as store:
        marks = RedisMarks(store, 100)
        name = name_of("subject", "anna")
        await marks.put({name: NOW})
        with server.client() as client:
            key = store.prefix + "marks"
            junk = ["", "junk", f"{name}:nan", f"{name}:-1", f"{name}:1e400", "x" * 10_000]
            client.zadd(key, dict.fromkeys(junk, 9e9))

        assert await marks.news() == {name: NOW}


@pytest.mark.anyio
async def test_a_key_of_another_type_is_a_failure(server: RedisServer) -> None:
    """It can be told from no marks: those at hand count then."""
    async with opened(server, Clock()) as store:
        marks = RedisMarks(store, 100)
        with server.client() as client:
            client.set(store.prefix + "marks", "junk")
        with pytest.raises(StoreUnavailable):
            await marks.news()
        with pytest.raises(StoreUnavailable):
            await marks.put({name_of("subject", "anna"): NOW})


@pytest.mark.anyio
async def test_forgetting_all_answers_forgets_no_mark(server: RedisServer) -> None:
    async with opened(server, Clock()) as store:
        marks = RedisMarks(store, 100)
        await marks.put({name_of("subject", "anna"): NOW})
        await store.forget_all()

        assert await marks.news() == {name_of("subject", "anna"): NOW}


def status(client: TestClient, token: str) -> int:
    return client.get("/widgets", headers=bearer(token)).status_code


@pytest.fixture
def deliver(start: Start, server: RedisServer, inbox_url: str, clock: Clock, log: Log) -> Sender:
    """Return a sender to a service whose answers and marks are in Redis."""
    client = start(CACHE_URL=server.url, INBOX_DATABASE_URL=inbox_url)
    sender = Sender(client, clock)
    logging.getLogger("app").addHandler(log)
    return sender


@asynccontextmanager
async def another_process(server: RedisServer) -> AsyncIterator[RedisMarks]:
    """Return the marks as another replica of the service sees them."""
    settings = AppSettings.read(ENVIRON)
    whose = authority(settings.provider)
    async with open_redis(server.url, whose, 30, 50, Clock(), Counters()) as store:
        yield RedisMarks(store, settings.revocations.ttl)


def test_an_event_counts_for_all_processes(
    deliver: Sender, server: RedisServer, token: IssueToken, log: Log
) -> None:
    async def read() -> Mapping[str, float]:
        async with another_process(server) as marks:
            return await marks.news()

    good = token(subject="anna")
    before = status(deliver.client, good)
    deliver(body(kind="user.deleted"))
    log.wait_for("webhook processed")

    assert [before, status(deliver.client, good)] == [200, 401]
    assert asyncio.run(read()) == {name_of("subject", "anna"): NOW}


def test_an_event_of_another_process_counts_at_the_next_request(
    deliver: Sender, server: RedisServer, token: IssueToken
) -> None:
    async def mark() -> None:
        async with another_process(server) as marks:
            await marks.put({name_of("subject", "anna"): NOW})

    good = token(subject="anna")
    before = status(deliver.client, good)
    asyncio.run(mark())

    assert [before, status(deliver.client, good)] == [200, 401]


def test_a_revocation_outlives_redis(
    deliver: Sender, server: RedisServer, token: IssueToken, clock: Clock, log: Log
) -> None:
    """While it is gone, and when it is back without its memory."""
    good, other = token(subject="anna"), token(subject="bert")
    status(deliver.client, good)
    deliver(body(kind="user.deleted"))
    log.wait_for("webhook processed")
    server.kill()
    gone = [status(deliver.client, good), status(deliver.client, other)]
    server.start()
    clock.now += PAUSE
    back = [status(deliver.client, good), status(deliver.client, other)]

    assert [gone, back] == [[401, 200], [401, 200]]


def test_an_event_while_redis_is_gone_counts_here_and_is_not_done(
    deliver: Sender, server: RedisServer, token: IssueToken, log: Log
) -> None:
    """It is tried again until the others know it too."""
    good = token(subject="anna")
    before = status(deliver.client, good)
    server.kill()
    taken = deliver(body(kind="user.deleted")).status_code
    (line,) = log.wait_for("webhook not processed yet")

    assert [before, taken, status(deliver.client, good)] == [200, 200, 401]
    assert line.endswith("reason=unfinished")
    assert log.saying("webhook dead") == []
