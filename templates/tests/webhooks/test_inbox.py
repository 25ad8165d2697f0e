"""The inbox: stored once, leased to one process, and free again when that process is gone."""

import asyncio
import stat
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.database import Database, DatabaseNotOpened, open_database
from app.webhooks.errors import DeliveryRefused
from app.webhooks.inbox import Inbox, LeaseLost, Outcome
from tests.webhooks.conftest import Log, change, event, stored

pytestmark = pytest.mark.anyio

TYPES = ["user.updated"]
DONE = Outcome("done", 1)


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    inbox = Inbox(database)
    await inbox.heartbeat()
    return inbox


@pytest.fixture
async def other(database: Database) -> Inbox:
    """Return the inbox of another process."""
    other = Inbox(database)
    await other.heartbeat()
    return other


async def claim(inbox: Inbox, limit: int = 10, running: tuple[str, ...] = ()) -> list[str]:
    return [row.id for row in await inbox.claim(TYPES, limit, running)]


async def release(inbox: Inbox, outcome: Outcome = DONE) -> None:
    async with inbox.database.engine.begin() as connection:
        await inbox.release(connection, "evt_1", outcome)


async def test_duplicate_is_stored_once(inbox: Inbox, database: Database) -> None:
    for _ in range(2):
        await inbox.accept(event())

    (row,) = (await stored(database)).values()
    assert (row.state, row.type, row.subject, row.attempts) == ("waiting", *TYPES, "anna", 0)


async def test_concurrent_deliveries_share_transactions(inbox: Inbox, database: Database) -> None:
    commits: list[object] = []
    sa.event.listen(database.engine.sync_engine, "commit", commits.append)
    await asyncio.gather(*[inbox.accept(event(f"evt_{number % 40}")) for number in range(50)])

    assert len(await stored(database)) == 40
    assert len(commits) < 10


BERT = {"user_id": "bert"}
OTHERS: dict[str, dict[str, Any]] = {
    "type": {"event_type": "user.created"},
    "subject": {"data": BERT},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
async def test_reused_id_is_refused(inbox: Inbox, log: Log, other: dict[str, Any]) -> None:
    """Two different events: one of them would be lost without a word. It is logged once."""
    reused = uuid.uuid4().hex
    await inbox.accept(event(reused))
    for _ in range(2):
        with pytest.raises(DeliveryRefused) as refusal:
            await inbox.accept(event(reused, **other))
        assert refusal.value.status_code == 409

    assert len(log.saying(f"webhook id belongs to another event event_id={reused}")) == 1


async def test_missing_subject_is_no_other_subject(inbox: Inbox, database: Database) -> None:
    await inbox.accept(event())
    await inbox.accept(event(data={}))

    assert len(await stored(database)) == 1


async def test_subject_is_compared_by_todays_rule(inbox: Inbox, database: Database) -> None:
    """An earlier release may have looked for it elsewhere."""
    await inbox.accept(event())
    await change(database, "UPDATE inbox_events SET subject = 'somebody'")

    await inbox.accept(event(data={"sub": "anna"}))


async def test_claim_takes_the_longest_due_first(inbox: Inbox, database: Database) -> None:
    for number in range(4):
        await inbox.accept(event(f"evt_{number}"))
    await change(database, "UPDATE inbox_events SET due_at = due_at - 9 WHERE id = 'evt_2'")
    await change(database, "UPDATE inbox_events SET due_at = due_at - 5 WHERE id = 'evt_3'")
    await change(database, "UPDATE inbox_events SET due_at = due_at + 30 WHERE id = 'evt_0'")

    assert sorted(await claim(inbox, 2)) == ["evt_2", "evt_3"]
    assert await claim(inbox, running=("evt_2", "evt_3")) == ["evt_1"]


async def test_claim_leaves_other_types_alone(inbox: Inbox) -> None:
    """During a rolling deployment, an old replica has no handler for a new type."""
    await inbox.accept(event(event_type="user.renamed"))

    assert await claim(inbox) == []


async def test_leased_event_is_not_claimed(inbox: Inbox, other: Inbox) -> None:
    await inbox.accept(event())

    assert await claim(inbox) == ["evt_1"]
    assert await claim(other) == []
    assert await claim(inbox, running=("evt_1",)) == []


async def test_event_of_a_silent_process_is_taken_over(
    inbox: Inbox, other: Inbox, database: Database
) -> None:
    await inbox.accept(event())
    await claim(inbox)
    await change(database, "UPDATE inbox_workers SET seen_at = seen_at - 16")

    assert await claim(other) == ["evt_1"]
    with pytest.raises(LeaseLost):
        await release(inbox)
    await other.heartbeat()
    await release(other)
    assert (await stored(database))["evt_1"].state == "done"


async def test_event_of_a_process_that_left_is_free(
    inbox: Inbox, other: Inbox, database: Database
) -> None:
    """It was not tried, so the attempt does not count."""
    await inbox.accept(event("evt_1"))
    await claim(inbox)
    await inbox.accept(event("evt_2"))
    await claim(other)
    await inbox.leave()

    assert await claim(Inbox(database)) == ["evt_1"]
    assert (await stored(database))["evt_1"].attempts == 1


async def test_late_heartbeat_frees_no_running_event(inbox: Inbox, database: Database) -> None:
    """Else the process would work on it twice at a time."""
    await inbox.accept(event())
    await claim(inbox)
    await change(database, "UPDATE inbox_workers SET seen_at = seen_at - 16")

    assert await claim(inbox, running=("evt_1",)) == []


async def test_event_without_a_written_outcome_is_claimed_again(inbox: Inbox) -> None:
    await inbox.accept(event())
    await claim(inbox)

    assert await claim(inbox) == ["evt_1"]


async def test_lease_is_lost_to_an_operator(inbox: Inbox, database: Database) -> None:
    await inbox.accept(event())
    await claim(inbox)
    await change(database, "UPDATE inbox_events SET state = 'dead'")

    with pytest.raises(LeaseLost):
        await release(inbox)


async def test_clock_that_was_set_back_delays_nothing(inbox: Inbox, database: Database) -> None:
    """What was written before it lies in the future: a due time and the last heartbeat."""
    await inbox.accept(event())
    await claim(inbox)
    await change(database, "UPDATE inbox_events SET due_at = due_at + 3600")
    await change(database, "UPDATE inbox_workers SET seen_at = seen_at + 3600")

    assert await claim(Inbox(database)) == ["evt_1"]


async def test_heartbeat_decides_about_readiness(database: Database) -> None:
    inbox = Inbox(database)
    with pytest.raises(DeliveryRefused):
        await inbox.check()
    await inbox.heartbeat()
    await inbox.check()

    await change(database, "DROP TABLE inbox_workers")
    with pytest.raises(sa.exc.SQLAlchemyError):
        await inbox.heartbeat()
    with pytest.raises(DeliveryRefused):
        await inbox.check()


async def test_database_that_fails_is_a_503(inbox: Inbox, database: Database) -> None:
    await change(database, "ALTER TABLE inbox_events RENAME TO elsewhere")
    with pytest.raises(DeliveryRefused) as refusal:
        await inbox.accept(event())
    await change(database, "ALTER TABLE elsewhere RENAME TO inbox_events")
    await inbox.accept(event())

    assert refusal.value.status_code == 503
    assert refusal.value.headers == {"Retry-After": "5"}
    assert list(await stored(database)) == ["evt_1"]


async def test_slow_database_is_a_503(inbox_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event is stored all the same, and the retry of its sender is a duplicate."""
    monkeypatch.setattr("app.webhooks.inbox.TIMEOUT", 0.05)
    async with open_database(inbox_url) as database, database.engine.connect() as connection:
        inbox = Inbox(database)
        await connection.execute(sa.text("BEGIN IMMEDIATE"))
        with pytest.raises(DeliveryRefused) as refusal:
            await inbox.accept(event())
        await connection.rollback()
        monkeypatch.setattr("app.webhooks.inbox.TIMEOUT", 30)
        await inbox.accept(event())

        assert (refusal.value.status_code, refusal.value.reason) == (503, "timeout")
        assert list(await stored(database)) == ["evt_1"]


async def test_too_many_waiting_deliveries_are_a_503(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.webhooks.inbox.MAX_PENDING", 1)
    outcomes = await asyncio.gather(
        *[inbox.accept(event(f"evt_{number}")) for number in range(3)], return_exceptions=True
    )

    assert [getattr(outcome, "reason", None) for outcome in outcomes] == [None, "full", "full"]


async def test_sender_that_goes_away_stops_no_other(inbox: Inbox, database: Database) -> None:
    first = asyncio.create_task(inbox.accept(event("evt_1")))
    second = asyncio.create_task(inbox.accept(event("evt_2")))
    await asyncio.sleep(0)
    first.cancel()
    await second

    assert "evt_2" in await stored(database)


async def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "inbox.sqlite"
    async with open_database(f"sqlite:///{path}") as database:
        await Inbox(database).accept(event())
        modes = modes_of(tmp_path)

    assert set(modes.values()) == {0o600}, modes


def modes_of(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


async def test_missing_index_is_added(database_url: str) -> None:
    """As a later release, or another choice of features, may bring one."""
    async with open_database(database_url) as database:
        await change(database, "DROP INDEX inbox_events_due")
    async with open_database(database_url) as database, database.engine.connect() as connection:
        indexes = await connection.run_sync(
            lambda sync: sa.inspect(sync).get_indexes("inbox_events")
        )

    assert "inbox_events_due" in {index["name"] for index in indexes}


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/inbox.sqlite", "postgresql://me:hunter2@127.0.0.1:9/inbox"]
)
async def test_database_that_cannot_be_opened_is_explained(url: str) -> None:
    with pytest.raises(DatabaseNotOpened, match="check INBOX_DATABASE_URL") as problem:
        async with open_database(url):
            pass

    assert "hunter2" not in str(problem.value)
