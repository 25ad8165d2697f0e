"""Connections that are lost without an error: the inbox opens new ones."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from urllib.parse import parse_qsl

import psycopg
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from app.auth.errors import InvalidToken
from app.auth.revocations import RevocableVerifier
from app.webhooks.database import OPTIONS, open_database
from app.webhooks.events import DeliveryRefused
from app.webhooks.inbox import Inbox
from app.webhooks.revocation_feed import REVOKING, RevocationFeed
from app.webhooks.worker import Worker
from tests.callers import Clock
from tests.webhooks.conftest import event
from tests.webhooks.test_revocations import AcceptsAll

pytestmark = pytest.mark.anyio


class Proxy:
    """Passes bytes to a database, until it swallows those of a connection that is lost.

    Connections are lost at a call, or once a client ends a transaction, if `loses_at_end` is set.
    """

    loses_at_end = False

    def __init__(self, url: str) -> None:
        self._target = sa.make_url(url)
        self._open: set[asyncio.StreamWriter] = set()
        self._lost: set[asyncio.StreamWriter] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        answers, requests = await asyncio.open_connection(self._target.host, self._target.port)

        async def forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                if self.loses_at_end and (b"COMMIT" in data or b"ROLLBACK" in data):
                    self._lost.add(writer)
                if writer not in self._lost:
                    sink.write(data)
            sink.close()

        with suppress(asyncio.CancelledError):  # at the end of the test
            await asyncio.gather(forward(reader, requests), forward(answers, writer))

    def lose_connections(self) -> int:
        """Swallow what comes over the open connections, and return how many they are."""
        self._lost |= self._open
        return len(self._lost)

    def close(self) -> None:
        """Close the connections, so that nothing waits for them after a failure of the test."""
        for writer in self._open:
            writer.close()


@pytest.fixture
def proxy(postgresql_url: str) -> Proxy:
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return Proxy(postgresql_url)


@pytest.fixture
async def url(proxy: Proxy, postgresql_url: str) -> AsyncIterator[str]:
    """Return the URL of the database by way of the proxy."""
    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield sa.make_url(postgresql_url).set(port=port).render_as_string(hide_password=False)
    server.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_postgresql_is_used_again(
    proxy: Proxy, url: str, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a lost connection waits for as long as the system allows: two hours."""
    for module in ("inbox", "revocation_feed", "worker"):
        monkeypatch.setattr(f"app.webhooks.{module}.TIME_LIMIT", 0.2)
    verifier = RevocableVerifier(AcceptsAll(), 3600, Clock(time.time()))

    async def is_revoked(subject: str) -> bool:
        try:
            await verifier.verify(subject)
        except InvalidToken:
            return True
        return False

    async with (
        open_database(SecretStr(postgresql_url)) as other_engine,
        open_database(SecretStr(url)) as engine,
        Worker(engine, REVOKING) as worker,
    ):
        feed = RevocationFeed(worker, verifier)
        await feed.poll()
        worker.repeat(0.05, "poll", feed.poll)
        await feed.accept(event("before", "user.deleted"))
        assert proxy.lose_connections() > 1
        other = Inbox(other_engine, REVOKING)
        await other.accept(event("elsewhere", "user.deleted", data={"user_id": "bert"}))
        accepted = None
        async with asyncio.timeout(60):
            while accepted is None or not await is_revoked("bert"):
                with suppress(DeliveryRefused):
                    accepted = await feed.accept(event("after", "user.deleted"))
                    await worker.check()
                await asyncio.sleep(0.01)
    gc.collect()  # now, and not during another test, a cursor warns that nothing could close it


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_connection_that_is_lost_as_its_transaction_ends(
    proxy: Proxy, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that only read end too. SQLAlchemy does not let a rollback at the end be cancelled."""
    for module in ("revocation_feed", "worker"):
        monkeypatch.setattr(f"app.webhooks.{module}.TIME_LIMIT", 0.2)
    verifier = RevocableVerifier(AcceptsAll(), 3600, Clock(time.time()))
    async with open_database(SecretStr(url)) as engine:
        worker = Worker(engine, REVOKING)
        proxy.loses_at_end = True
        actions = (RevocationFeed(worker, verifier).poll, worker.count, worker.heartbeat)
        with closing(proxy):
            tasks = [asyncio.create_task(action()) for action in actions]
            await asyncio.wait(tasks, timeout=60)
            ends = [type(task.exception()) if task.done() else None for task in tasks]

    assert ends == [TimeoutError, TimeoutError, TimeoutError]


def test_system_looks_for_lost_connections() -> None:
    """Within 15 seconds, also while the server is silent."""
    options = dict(parse_qsl(OPTIONS["postgresql"]))
    idle, interval, count = (int(options[f"keepalives_{x}"]) for x in ("idle", "interval", "count"))

    assert idle + interval * count <= 15
