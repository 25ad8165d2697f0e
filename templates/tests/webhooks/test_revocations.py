"""Events that end the access of a user: from the delivery to the next request."""

import asyncio
import time
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from app.auth.claims import parse_claims
from app.auth.errors import InvalidToken
from app.auth.revocations import Revocations
from app.database import Database, open_database
from app.revocation_feed import RevocationFeed, lift
from app.webhooks.__main__ import main
from app.webhooks.inbox import Inbox
from app.webhooks.retention import purge
from dev.provider import Provider
from tests.callers import NOW, Clock, bearer
from tests.conftest import IssueToken, Start
from tests.webhooks.conftest import Sender, body, change, event, stored

DAY = 86_400


def status(client: TestClient, token: str) -> int:
    return client.get("/probe", headers=bearer(token)).status_code


def at(seconds: float) -> str:
    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat()


def send_all(deliver: Sender, *events: tuple[str, float]) -> None:
    """Send events about anna: pairs of a type and when it occurred, in seconds from now."""
    for number, (event_type, seconds) in enumerate(events):
        content = body(f"evt_{number}", event_type, timestamp=at(seconds))
        assert deliver(content).status_code == 200


SEQUENCES = {
    "logged out": ([("session.revoked", -10)], 401, 200),
    "deleted": ([("user.deleted", -10)], 401, 401),
    "disabled": ([("user.disabled", -10)], 401, 401),
    "created": ([("user.created", -10)], 200, 200),
    "updated": ([("user.updated", -10)], 200, 200),
    "disabled, then enabled": ([("user.disabled", -20), ("user.enabled", -10)], 200, 200),
    "enabled arrives first": ([("user.enabled", -10), ("user.disabled", -20)], 200, 200),
    "enabled before": ([("user.enabled", -20), ("user.disabled", -10)], 401, 401),
    "enabled at the same time": ([("user.enabled", -10), ("user.disabled", -10)], 401, 401),
    "deleted, then created": ([("user.deleted", -20), ("user.created", -10)], 200, 200),
    "created arrives first": ([("user.created", -10), ("user.deleted", -20)], 200, 200),
    "deleted, then enabled": ([("user.deleted", -20), ("user.enabled", -10)], 401, 401),
    "disabled, then created": ([("user.disabled", -20), ("user.created", -10)], 401, 401),
    "logged out twice": ([("session.revoked", -10), ("session.revoked", -2 * DAY)], 401, 200),
    "logged out two days ago": ([("session.revoked", -2 * DAY)], 200, 200),
    "deleted 29 days ago": ([("user.deleted", -29 * DAY)], 401, 401),
    "deleted 30 days ago": ([("user.deleted", -30 * DAY)], 200, 200),
}


@pytest.mark.parametrize(("events", "old", "new"), SEQUENCES.values(), ids=SEQUENCES)
def test_sequence_of_events(
    deliver: Sender, provider: Provider, events: list[tuple[str, float]], old: int, new: int
) -> None:
    """A token that was issued before all of them, and one that is issued now."""
    before = provider.issue(subject="anna", iat=int(NOW - 20))
    assert status(deliver.client, before) == 200
    send_all(deliver, *events)

    assert status(deliver.client, before) == old
    assert status(deliver.client, provider.issue(subject="anna")) == new


@pytest.mark.parametrize(("issued", "expected"), [(-11, 401), (-10, 401), (-9, 200)])
def test_logout_refuses_tokens_up_to_its_own_second(
    deliver: Sender, provider: Provider, issued: int, expected: int
) -> None:
    """`iat` is in whole seconds."""
    send_all(deliver, ("session.revoked", -9.5))

    assert status(deliver.client, provider.issue(subject="anna", iat=int(NOW + issued))) == expected


def test_other_users_notice_nothing(deliver: Sender, token: IssueToken) -> None:
    bert = token(subject="bert")
    send_all(deliver, ("user.deleted", -10))

    assert status(deliver.client, bert) == 200


def test_machine_is_its_own_subject(deliver: Sender, provider: Provider) -> None:
    deliver(body(event_type="user.deleted", data={"user_id": "reader"}))

    assert status(deliver.client, provider.issue(client_id="reader")) == 401
    assert status(deliver.client, provider.issue(client_id="reader", subject="bert")) == 200


def test_event_is_never_later_than_now(deliver: Sender, token: IssueToken, clock: Clock) -> None:
    """Else it would refuse the tokens of tomorrow."""
    send_all(deliver, ("session.revoked", DAY))
    clock.now += 1

    assert status(deliver.client, token(subject="anna")) == 200


def test_revocation_counts_although_its_handler_fails(
    deliver: Sender, token: IssueToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.webhooks.handlers.KEEP_NEWEST", None)
    good = token(subject="anna")
    send_all(deliver, ("user.deleted", 0))

    assert status(deliver.client, good) == 401


def test_revocation_outlives_the_process(start: Start, token: IssueToken, inbox_url: str) -> None:
    """A second process on the same inbox stands for a restart."""
    anna, bert = token(subject="anna"), token(subject="bert")
    clock = Clock()
    send_all(Sender(start(INBOX_DATABASE_URL=inbox_url), clock), ("user.deleted", -10))
    restarted = start(INBOX_DATABASE_URL=inbox_url)

    assert [status(restarted, anna), status(restarted, bert)] == [401, 200]


def test_revocation_ttl(start: Start, clock: Clock, token: IssueToken, inbox_url: str) -> None:
    client = start(INBOX_DATABASE_URL=inbox_url, REVOCATION_TTL="600")
    send_all(Sender(client, clock), ("user.deleted", 0))
    good = token(subject="anna")
    clock.now += 599
    before = status(client, good)
    clock.now += 1

    assert [before, status(client, good)] == [401, 200]


def test_event_without_an_issue_time_refuses(deliver: Sender) -> None:
    """Nothing tells whether the token is older than the logout."""
    revocations = Revocations(DAY, deliver.clock)
    revocations.apply("session.revoked", "anna", NOW - 10)

    with pytest.raises(InvalidToken, match="revoked"):
        revocations.check(parse_claims({"sub": "anna"}))
    revocations.check(parse_claims({"sub": "anna", "iat": NOW - 9}))


def test_lift_is_not_an_event_of_the_platform(deliver: Sender, token: IssueToken) -> None:
    """Only an operator lifts a revocation."""
    good = token(subject="anna")
    send_all(deliver, ("user.deleted", -10), ("revocation.lifted", 0))

    assert status(deliver.client, good) == 401


def test_lift_command(
    start: Start, token: IssueToken, inbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reaches a process that starts later, and running ones by their poll."""
    good = token(subject="anna")
    clock = Clock()
    # The command has the real time, and the tests a later one.
    yesterday = time.time() - NOW - DAY
    send_all(Sender(start(INBOX_DATABASE_URL=inbox_url), clock), ("user.deleted", yesterday))
    monkeypatch.setenv("INBOX_DATABASE_URL", inbox_url)
    monkeypatch.setattr("sys.argv", ["app.webhooks", "lift", "anna"])
    main()
    restarted = start(INBOX_DATABASE_URL=inbox_url, REVOCATION_TTL="31536000")

    assert status(restarted, good) == 200


@pytest.mark.anyio
class TestFeed:
    """What a process learns of the events that others store."""

    @pytest.fixture
    def revocations(self, database: Database) -> Revocations:
        return Revocations(30 * DAY, database.clock)

    @pytest.fixture
    def feed(self, database: Database, revocations: Revocations) -> RevocationFeed:
        return RevocationFeed(database, revocations)

    async def refused(self, revocations: Revocations, subject: str = "anna") -> bool:
        try:
            revocations.check(parse_claims({"sub": subject, "iat": 0}))
        except InvalidToken:
            return True
        return False

    async def test_poll_applies_new_events(
        self, database: Database, feed: RevocationFeed, revocations: Revocations
    ) -> None:
        await feed.poll()
        await Inbox(database).accept(event(event_type="user.deleted"))
        before = await self.refused(revocations)
        await feed.poll()

        assert [before, await self.refused(revocations)] == [False, True]

    async def test_lift_reaches_other_processes(
        self, database: Database, feed: RevocationFeed, revocations: Revocations
    ) -> None:
        await Inbox(database).accept(event("evt_1", "user.deleted"))
        await Inbox(database).accept(event("evt_2", "user.disabled"))
        await feed.poll()
        before = await self.refused(revocations)
        await lift(database, "anna")
        await feed.poll()

        assert [before, await self.refused(revocations)] == [True, False]

    async def test_poll_sees_rows_that_are_committed_late(
        self, database: Database, feed: RevocationFeed, revocations: Revocations
    ) -> None:
        """Their time of receipt lies before that of rows which were seen already."""
        await Inbox(database).accept(event("evt_1", "user.updated"))
        await feed.poll()
        await Inbox(database).accept(event("evt_2", "user.deleted"))
        await change(
            database, "UPDATE inbox_events SET received_at = received_at - 50 WHERE id = 'evt_2'"
        )
        await feed.poll()

        assert await self.refused(revocations)

    @pytest.mark.parametrize("step", [-300, 300])
    async def test_poll_loses_nothing_when_a_clock_is_set(
        self, inbox_url: str, step: float
    ) -> None:
        clock = Clock(time.time())
        revocations = Revocations(30 * DAY, clock)
        async with open_database(inbox_url, clock) as database:
            feed = RevocationFeed(database, revocations)
            await feed.poll()
            await Inbox(database).accept(event(event_type="user.deleted"))
            clock.now += step
            await feed.poll()

        assert await self.refused(revocations)

    async def test_all_rows_are_read_again_after_a_failure(
        self, database: Database, feed: RevocationFeed, revocations: Revocations
    ) -> None:
        await feed.poll()
        await Inbox(database).accept(event(event_type="user.deleted"))
        await change(database, "UPDATE inbox_events SET received_at = received_at - 900")
        await change(database, "ALTER TABLE inbox_events RENAME TO elsewhere")
        with pytest.raises(Exception, match="inbox_events"):
            await feed.poll()
        await change(database, "ALTER TABLE elsewhere RENAME TO inbox_events")
        await feed.poll()

        assert await self.refused(revocations)

    async def test_purged_events_are_forgotten_by_the_next_reload(
        self,
        database: Database,
        feed: RevocationFeed,
        revocations: Revocations,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        await Inbox(database).accept(event(event_type="user.deleted"))
        await feed.poll()
        await change(database, "DELETE FROM inbox_events")
        await feed.poll()
        before = await self.refused(revocations)
        monkeypatch.setattr("app.revocation_feed.RELOAD", 0)
        await feed.poll()

        assert [before, await self.refused(revocations)] == [True, False]

    async def test_delivery_during_a_reload_counts(
        self,
        database: Database,
        feed: RevocationFeed,
        revocations: Revocations,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The reload may have passed its place in the table."""
        monkeypatch.setattr("app.revocation_feed.PAGE", 1)
        inbox = Inbox(database)
        inbox.on_stored.append(feed.apply)
        for number in range(20):
            await inbox.accept(event(f"evt_{number}", "user.deleted", data={"sub": f"u{number}"}))
        loading = asyncio.create_task(feed.poll())
        await asyncio.sleep(0)
        await inbox.accept(event("evt_anna", "user.deleted"))
        during = await self.refused(revocations)
        await loading

        assert [during, await self.refused(revocations)] == [True, True]
        assert await self.refused(revocations, "u19")

    async def test_purge_keeps_what_still_revokes(self, database: Database) -> None:
        """And what lifts it."""
        for name in ("user.deleted", "user.enabled", "user.updated"):
            await Inbox(database).accept(event(name, name))
        await change(database, "UPDATE inbox_events SET state = 'done', finished_at = 0")
        kept = await purge(database, "done", DAY, 60), set(await stored(database))
        await change(database, "UPDATE inbox_events SET occurred_at = occurred_at - 61")

        assert kept == (1, {"user.deleted", "user.enabled"})
        assert await purge(database, "done", DAY, 60) == 2
