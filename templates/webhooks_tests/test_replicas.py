"""Several replicas with one inbox, on PostgreSQL: whose event is whose, and what if one dies."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from app.inbox_claim import Replica
from tests.webhooks.conftest import Log
from tests.webhooks.databases import postgresql
from tests.webhooks.test_inbox import Calls, left_undone, opened, until


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgresql() as url:
        yield url


def test_each_replica_has_a_number_of_its_own(database: str) -> None:
    """And who comes next has the one of who went."""
    first, second = Replica(database), Replica(database)
    names = [first.executor, second.executor]
    first.close()
    third = Replica(database)
    second.close()
    third.close()

    assert names == ["replica-0", "replica-1"]
    assert third.executor == "replica-0"


def test_only_the_number_of_the_dead_is_free(database: str) -> None:
    first, second = Replica(database), Replica(database)
    with second.in_place_of("replica-0") as living, second.in_place_of("replica-1") as own:
        pass
    first.close()
    with second.in_place_of("replica-0") as dead:
        newcomer = Replica(database)
    again = Replica(database)
    names = [newcomer.executor, again.executor]
    for replica in (second, newcomer, again):
        replica.close()

    assert (living, own, dead) == (False, False, True)
    assert names == ["replica-2", "replica-0"]


def test_a_lost_connection_is_made_anew(database: str) -> None:
    """With the same number: the events in work are marked with it."""
    replica = Replica(database)
    with psycopg.connect(database, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
    replica.hold()
    next_one = Replica(database)
    names = [replica.executor, next_one.executor]
    replica.close()
    next_one.close()

    assert names == ["replica-0", "replica-1"]


@pytest.mark.anyio
async def test_a_replica_that_comes_back_in_time_keeps_its_events(
    database: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection was lost, for less than the time between two looks."""
    monkeypatch.setattr("app.inbox.GRACE", 0.01)
    monkeypatch.setattr("app.inbox.ADOPTION", 1)
    calls = Calls()
    await left_undone(database, calls, "evt_2")
    living = Replica(database)
    async with opened(database, {"user.updated": calls}):
        await asyncio.sleep(0.5)
        living.close()
        await asyncio.sleep(1)
        again = Replica(database)
        await asyncio.sleep(1)
        meanwhile = list(calls.ids)
        again.close()
        await until(lambda: log.saying("webhook processed") != [])

    assert meanwhile == ["evt_2"]
    assert calls.ids == ["evt_2", "evt_2"]


@pytest.mark.anyio
async def test_what_a_replica_left_undone_is_taken_over(
    database: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when nobody comes in its place, as after scaling down."""
    monkeypatch.setattr("app.inbox.GRACE", 0.01)
    monkeypatch.setattr("app.inbox.ADOPTION", 0.05)
    calls = Calls()
    await left_undone(database, calls)
    living = Replica(database)
    async with opened(database, {"user.updated": calls}):
        await asyncio.sleep(0.1)
        before = list(calls.ids)
        living.close()
        await until(lambda: log.saying("webhook processed") != [])

    assert before == ["evt_1"]
    assert log.saying("webhook processed") == [
        "webhook processed event_id=evt_1 event_type=user.updated repeated=true"
    ]
