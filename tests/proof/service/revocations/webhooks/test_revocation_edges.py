"""Revocations: seconds, order and repetition, and polls that fail or come late."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.testclient import TestClient

from app.auth.claims import Claims
from app.auth.errors import InvalidToken
from app.auth.revocations import RevocableVerifier
from app.settings import InboxSettings
from app.webhooks import database
from app.webhooks.__main__ import main
from app.webhooks.events import Event, Handler
from app.webhooks.inbox import Inbox
from app.webhooks.revocation_feed import REVOKING, RevocationFeed
from app.webhooks.worker import Worker
from dev.provider import Provider
from tests.callers import NOW, Clock
from tests.conftest import IssueToken, Start
from tests.webhooks.conftest import Sender, body, change, event
from tests.webhooks.test_revocations import DAY, AcceptsAll, status


def send_all(deliver: Sender, *events: tuple[str, float]) -> None:
    """Send events about anna: pairs of a type and when it occurred, in seconds from now."""
    for number, (event_type, seconds) in enumerate(events):
        moment = datetime.fromtimestamp(NOW + seconds, UTC).isoformat()
        content = body(f"evt_{number}", event_type, timestamp=moment)
        assert deliver(content).status_code == 200


pytestmark = pytest.mark.anyio
SEQUENCES = {
    "enabled arrives first": ([("user.enabled", -10), ("user.disabled", -20)], 200),
    "enabled before": ([("user.enabled", -20), ("user.disabled", -10)], 401),
    "created": ([("user.created", -10)], 200),
    "created at the same time": ([("user.deleted", -10), ("user.created", -10)], 401),
    "logged out again": ([("session.revoked", -10), ("session.revoked", -2 * DAY)], 401),
    "deleted twice, then created": (
        [("user.deleted", -20), ("user.created", -15), ("user.deleted", -10)],
        401,
    ),
}


@pytest.mark.parametrize(("events", "expected"), SEQUENCES.values(), ids=SEQUENCES)
def test_sequence(
    deliver: Sender, provider: Provider, events: list[tuple[str, float]], expected: int
) -> None:
    before = provider.issue(subject="anna", iat=int(NOW - 20))
    send_all(deliver, *events)

    assert status(deliver.client, before) == expected


@pytest.mark.parametrize(("issued", "expected"), [(-11, 401), (-10, 401), (-9, 200)])
def test_logout_refuses_tokens_up_to_its_own_second(
    deliver: Sender, provider: Provider, issued: int, expected: int
) -> None:
    """`iat` is in whole seconds."""
    send_all(deliver, ("session.revoked", -9.5))

    assert status(deliver.client, provider.issue(subject="anna", iat=int(NOW + issued))) == expected


def test_machine_is_its_own_subject(deliver: Sender, provider: Provider) -> None:
    deliver(body(event_type="user.deleted", data={"user_id": "reader"}))

    assert status(deliver.client, provider.issue(client_id="reader")) == 401
    assert status(deliver.client, provider.issue(client_id="reader", subject="bert")) == 200


def test_event_is_never_later_than_now(deliver: Sender, token: IssueToken, clock: Clock) -> None:
    """Else it would refuse the tokens of tomorrow."""
    send_all(deliver, ("session.revoked", DAY))
    clock.now += 1

    assert status(deliver.client, token(subject="anna")) == 200


def test_failing_handler_delays_no_revocation(
    start: Start,
    clock: Clock,
    token: IssueToken,
    inbox_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(_: Event, __: AsyncConnection) -> None:
        raise KeyError

    monkeypatch.setattr("app.services.HANDLERS", {"user.deleted": Handler(fail)})
    deliver = Sender(start(INBOX_DATABASE_URL=inbox_url), clock)
    good = token(subject="anna")
    send_all(deliver, ("user.deleted", 0))

    assert status(deliver.client, good) == 401


def test_reused_id_revokes_nothing(deliver: Sender, token: IssueToken) -> None:
    bert = token(subject="bert")
    deliver(body(event_type="user.deleted"))
    response = deliver(body(event_type="user.deleted", data={"user_id": "bert"}))

    assert (response.status_code, status(deliver.client, bert)) == (409, 200)


def test_revocation_ttl(start: Start, clock: Clock, token: IssueToken, inbox_url: str) -> None:
    client = start(INBOX_DATABASE_URL=inbox_url, REVOCATION_TTL="600")
    send_all(Sender(client, clock), ("user.deleted", 0))
    good = token(subject="anna")
    clock.now += 599
    before = status(client, good)
    clock.now += 1

    assert [before, status(client, good)] == [401, 200]


def test_short_ttl_shortens_logouts(
    start: Start, clock: Clock, token: IssueToken, inbox_url: str
) -> None:
    client = start(INBOX_DATABASE_URL=inbox_url, REVOCATION_TTL="600")
    good = token(subject="anna")
    send_all(Sender(client, clock), ("session.revoked", 0))
    before = status(client, good)
    clock.now += 600

    assert [before, status(client, good)] == [401, 200]


@dataclass
class Replica:
    """A process that learns of events by its polls."""

    engine: AsyncEngine
    verifier: RevocableVerifier = field(init=False)
    feed: RevocationFeed = field(init=False)

    def __post_init__(self) -> None:
        self.verifier = RevocableVerifier(AcceptsAll(), 30 * DAY, time.time)
        self.feed = RevocationFeed(Worker(self.engine, REVOKING), self.verifier)

    async def store(self, event_id: str, event_type: str, subject: str = "anna") -> None:
        """Store an event as another process does."""
        inbox = Inbox(self.engine, REVOKING)
        await inbox.accept(event(event_id, event_type, data={"sub": subject}))

    async def refuses(self, subject: str = "anna") -> bool:
        """Tell whether the tokens of a user are refused."""
        try:
            await self.verifier.verify(subject)
        except InvalidToken:
            return True
        return False


@pytest.fixture
def replica(engine: AsyncEngine) -> Replica:
    return Replica(engine)


async def test_token_without_an_issue_time(replica: Replica) -> None:
    """Nothing tells whether it is older than the logout."""
    await replica.store("evt_1", "session.revoked")
    await replica.feed.poll()

    assert await replica.refuses()


async def test_event_without_a_subject(replica: Replica, engine: AsyncEngine) -> None:
    inbox = Inbox(engine, REVOKING)
    await inbox.accept(event(event_type="user.deleted", data={}))
    await replica.feed.poll()

    assert not await replica.refuses("")


async def test_accepted_event_counts_at_once(replica: Replica) -> None:
    await replica.feed.accept(event(event_type="user.deleted"))

    assert await replica.refuses()


async def test_rows_that_are_committed_late(replica: Replica, engine: AsyncEngine) -> None:
    """Their time of receipt lies before that of rows which were seen already."""
    await replica.store("evt_1", "user.created", "bert")
    await replica.feed.poll()
    await replica.store("evt_2", "user.deleted")
    await change(engine, "UPDATE inbox_events SET received_at = received_at - 50")
    await replica.feed.poll()

    assert await replica.refuses()


@pytest.mark.parametrize("step", [-300, 300])
async def test_clock_that_is_set(
    replica: Replica, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    await replica.feed.poll()
    await replica.store("evt_1", "user.deleted")
    shifted = {name: f"({text} + {step})" for name, text in database.NOW.items()}
    monkeypatch.setattr(database, "NOW", shifted)
    database.sql.cache_clear()
    await replica.feed.poll()

    assert await replica.refuses()


async def test_reload_after_a_failure(replica: Replica, engine: AsyncEngine) -> None:
    await replica.feed.poll()
    await replica.store("evt_1", "user.deleted")
    await change(engine, "UPDATE inbox_events SET received_at = received_at - 900")
    await change(engine, "ALTER TABLE inbox_events RENAME TO elsewhere")
    with pytest.raises(Exception, match="inbox_events"):
        await replica.feed.poll()
    await change(engine, "ALTER TABLE elsewhere RENAME TO inbox_events")
    await replica.feed.poll()

    assert await replica.refuses()


async def test_users_in_memory_are_counted(replica: Replica) -> None:
    await replica.store("evt_1", "user.deleted")
    await replica.store("evt_2", "user.deleted", "bert")
    before = REGISTRY.get_sample_value("revocations")
    await replica.feed.poll()

    assert [before, REGISTRY.get_sample_value("revocations")] == [0, 2]


async def test_old_rows_are_not_read_at_each_poll(replica: Replica, engine: AsyncEngine) -> None:
    await replica.feed.poll()
    await replica.store("evt_1", "user.deleted")
    await change(engine, "UPDATE inbox_events SET received_at = received_at - 900")
    await replica.feed.poll()

    assert not await replica.refuses()


async def test_reload_forgets_what_is_no_longer_stored(
    replica: Replica, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await replica.store("evt_1", "user.deleted")
    await replica.feed.poll()
    await change(engine, "DELETE FROM inbox_events")
    await replica.feed.poll()
    before = await replica.refuses()
    monkeypatch.setattr("app.webhooks.revocation_feed.RELOAD", 0)
    await replica.feed.poll()

    assert [before, await replica.refuses()] == [True, False]


async def test_delivery_during_a_reload(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reload may have passed its place in the table."""
    monkeypatch.setattr("app.webhooks.revocation_feed.PAGE", 1)
    for number in range(20):
        await replica.store(f"evt_{number}", "user.deleted", f"user_{number}")
    loading = asyncio.create_task(replica.feed.poll())
    await asyncio.sleep(0)
    await replica.feed.accept(event("evt_anna", "user.deleted"))
    during = await replica.refuses()
    await loading

    assert [during, await replica.refuses()] == [True, True]
    assert await replica.refuses("user_19")


async def test_refusals_count_while_all_is_read_again(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    await replica.store("evt_1", "user.deleted")
    await replica.feed.poll()
    monkeypatch.setattr("app.webhooks.revocation_feed.RELOAD", 0)
    loading = asyncio.create_task(replica.feed.poll())
    seen = set()
    while not loading.done():
        seen.add(await replica.refuses())
        await asyncio.sleep(0)

    assert seen == {True}


def test_lift_reaches_running_processes(
    start: Start,
    clock: Clock,
    token: IssueToken,
    settings: InboxSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within two seconds, by their poll. A later logout counts all the same."""
    clock.now = time.time()
    url = settings.inbox_database_url.get_secret_value()
    client: TestClient = start(INBOX_DATABASE_URL=url)
    deliver = Sender(client, clock)
    good = token(subject="anna", iat=clock.now - 100, exp=clock.now + 1000)
    moment = datetime.fromtimestamp(clock.now - 10, UTC).isoformat()
    for event_type in ("user.deleted", "user.disabled"):
        deliver(body(event_type, event_type, timestamp=moment))
    before = status(client, good)
    monkeypatch.setenv("INBOX_DATABASE_URL", url)
    monkeypatch.setattr("sys.argv", ["app.webhooks", "lift", "anna"])
    main()
    deadline = time.monotonic() + 30
    while status(client, good) != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    deliver(body("session.revoked", "session.revoked", timestamp=moment))

    assert [before, status(client, good)] == [401, 401]


async def test_max_age_reaches_the_other_verifier() -> None:
    class Inner(AcceptsAll):
        async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
            return Claims.model_validate({"sub": f"{token} {max_age}"})

    claims = await RevocableVerifier(Inner(), DAY, time.time).verify("anna", max_age=3)

    assert claims.subject == "anna 3"
