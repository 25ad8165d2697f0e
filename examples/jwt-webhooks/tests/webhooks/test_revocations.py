"""Events that end the access of a user: from the delivery to the next request."""

import time
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.testclient import TestClient

from app.auth.claims import Claims
from app.auth.errors import InvalidToken
from app.auth.revocations import RevocableVerifier
from app.webhooks.__main__ import main
from app.webhooks.inbox import DONE, Inbox
from app.webhooks.revocation_feed import REVOKING, RevocationFeed, purge_expired
from app.webhooks.worker import Worker
from dev.provider import Provider
from tests.callers import NOW, Clock, bearer
from tests.conftest import IssueToken, Start
from tests.webhooks.conftest import Sender, body, change, event, stored

ROUTE = "/probe"
"""A route that takes every token."""
DAY = 86_400
SEQUENCES: dict[str, tuple[dict[str, float], int, int]] = {
    "logged out": ({"session.revoked": -10}, 401, 200),
    "logged out two days ago": ({"session.revoked": -2 * DAY}, 200, 200),
    "deleted": ({"user.deleted": -10}, 401, 401),
    "deleted 29 days ago": ({"user.deleted": -29 * DAY}, 401, 401),
    "deleted 30 days ago": ({"user.deleted": -30 * DAY}, 200, 200),
    "deleted, then created": ({"user.deleted": -20, "user.created": -10}, 200, 200),
    "created arrives first": ({"user.created": -10, "user.deleted": -20}, 200, 200),
    "created before": ({"user.created": -20, "user.deleted": -10}, 401, 401),
    "deleted, then enabled": ({"user.deleted": -20, "user.enabled": -10}, 401, 401),
    "disabled": ({"user.disabled": -10}, 401, 401),
    "disabled, then enabled": ({"user.disabled": -20, "user.enabled": -10}, 200, 200),
    "enabled at the same time": ({"user.enabled": -10, "user.disabled": -10}, 401, 401),
    "disabled, then created": ({"user.disabled": -20, "user.created": -10}, 401, 401),
    "updated": ({"user.updated": -10}, 200, 200),
}


def status(client: TestClient, token: str) -> int:
    return client.get(ROUTE, headers=bearer(token)).status_code


@pytest.mark.parametrize(("events", "old", "new"), SEQUENCES.values(), ids=SEQUENCES)
def test_events_about_a_user(
    deliver: Sender, provider: Provider, events: dict[str, float], old: int, new: int
) -> None:
    """A token that was issued before them, one that is issued now, and another user's."""
    before = provider.issue(subject="anna", iat=int(NOW - 20))
    assert status(deliver.client, before) == 200
    for event_type, seconds in events.items():
        moment = datetime.fromtimestamp(NOW + seconds, UTC).isoformat()
        deliver(body(event_type, event_type, timestamp=moment))

    assert status(deliver.client, before) == old
    assert status(deliver.client, provider.issue(subject="anna")) == new
    assert status(deliver.client, provider.issue(subject="bert")) == 200


def test_restart_forgets_nothing(start: Start, token: IssueToken, inbox_url: str) -> None:
    """A second service on the same inbox stands for the restarted one."""
    good = token(subject="anna")
    Sender(start(INBOX_DATABASE_URL=inbox_url), Clock())(body(event_type="user.deleted"))

    assert status(start(INBOX_DATABASE_URL=inbox_url), good) == 401


def test_lift_command(
    start: Start, token: IssueToken, inbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = token(subject="anna")
    yesterday = datetime.fromtimestamp(time.time() - DAY, UTC).isoformat()
    deliver = Sender(start(INBOX_DATABASE_URL=inbox_url), Clock())
    for event_type in ("user.deleted", "user.disabled"):
        deliver(body(event_type, event_type, timestamp=yesterday))
    monkeypatch.setenv("INBOX_DATABASE_URL", inbox_url)
    monkeypatch.setattr("sys.argv", ["app.webhooks", "lift", "anna"])
    main()

    assert status(start(INBOX_DATABASE_URL=inbox_url), good) == 200


class AcceptsAll:
    """Another verifier, for which each token is its own subject."""

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        return Claims.model_validate({"sub": token})


@pytest.mark.anyio
async def test_other_processes_poll(engine: AsyncEngine) -> None:
    verifier = RevocableVerifier(AcceptsAll(), 30 * DAY, time.time)
    feed = RevocationFeed(Worker(engine, REVOKING), verifier)
    await feed.poll()
    await Inbox(engine, REVOKING).accept(event(event_type="user.deleted"))
    assert (await verifier.verify("anna")).subject == "anna"
    await feed.poll()

    with pytest.raises(InvalidToken):
        await verifier.verify("anna")
    assert (await verifier.verify("bert")).subject == "bert"


@pytest.mark.anyio
async def test_purge_keeps_what_revokes_or_lifts(engine: AsyncEngine) -> None:
    for event_type in ("user.deleted", "user.enabled", "user.updated"):
        await Inbox(engine, [event_type]).accept(event(event_type, event_type))
    await change(engine, "UPDATE inbox_events SET state = 'done', finished_at = 0")
    kept = await purge_expired(engine, 30, DONE, 30 * DAY), set(await stored(engine))
    await change(engine, "UPDATE inbox_events SET occurred_at = occurred_at - 2592000")

    assert kept == (1, {"user.deleted", "user.enabled"})
    assert await purge_expired(engine, 30, DONE, 30 * DAY) == 2
