"""An event that ends what its subject may do, from the delivery to the next request."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from app.auth.errors import InvalidToken
from app.auth.revocations import Revocations
from app.events import Event, parse_event
from app.handlers import handlers, restore
from app.inbox_events import StoredEvent
from app.users import Users
from app.wiring import AppSettings, warn_of_processes_apart
from dev.provider import Provider
from tests.callers import NOW, Clock, bearer
from tests.conftest import ENVIRON, IssueToken
from tests.remembering import claims, memory, running
from tests.webhooks.conftest import Log, Sender, body

PROCESSED = "webhook processed"


def status(client: TestClient, token: str) -> int:
    return client.get("/widgets", headers=bearer(token)).status_code


@pytest.mark.parametrize("kind", ["user.deleted", "user.disabled", "session.revoked"])
def test_the_next_request_is_refused(
    deliver: Sender, token: IssueToken, log: Log, kind: str
) -> None:
    """Remembered or not, and asked anew too. Others do not notice."""
    anna, unused, bert = token(subject="anna"), token(subject="anna"), token(subject="bert")
    before = [status(deliver.client, anna), status(deliver.client, bert)]
    deliver(body(kind=kind))
    log.wait_for(PROCESSED)
    writer = bearer(token(subject="anna", scopes=("write:widgets",)))
    sure = deliver.client.delete("/widgets/none", headers=writer).status_code

    assert before == [200, 200]
    assert [status(deliver.client, anna), status(deliver.client, unused), sure] == [401] * 3
    assert status(deliver.client, bert) == 200


class Broken(Users):
    """Users in a database that is gone."""

    def apply(self, subject: str, event: Event, at: float) -> bool:
        raise ConnectionError


@pytest.mark.anyio
async def test_a_revocation_waits_for_nothing_else_that_is_done() -> None:
    """What a team does about a user who is gone may fail to the end; the token is refused."""
    known = memory()
    marks = Revocations(known.verifier, None, 86_400, known.clock)
    event = parse_event(body(kind="user.deleted"))
    with pytest.raises(ConnectionError):
        await handlers(Broken(), marks)["user.deleted"](event, "anna", NOW)

    with pytest.raises(InvalidToken, match="revoked"):
        await marks.check(claims()._replace(issued_at=NOW), "good")


@pytest.mark.parametrize("kind", ["user.created", "user.updated"])
def test_other_events_end_nothing(deliver: Sender, token: IssueToken, log: Log, kind: str) -> None:
    good = token(subject="anna")
    deliver(body(kind=kind))
    log.wait_for(PROCESSED)

    assert status(deliver.client, good) == 200


def test_a_token_that_is_issued_later_is_good(
    deliver: Sender, token: IssueToken, clock: Clock, log: Log
) -> None:
    """Somebody who was disabled and is back logs in again."""
    deliver(body(kind="user.disabled"))
    log.wait_for(PROCESSED)
    clock.now += 1

    assert status(deliver.client, token(subject="anna")) == 200


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@pytest.mark.parametrize(
    ("happened", "sent", "is_refused"),
    [
        pytest.param(NOW - 60, NOW, False, id="its-own-time"),
        pytest.param(None, NOW - 60, False, id="the-time-of-sending"),
        pytest.param(NOW + 3600, NOW, True, id="never-later-than-now"),
    ],
)
def test_the_mark_is_of_the_time_of_the_event(
    deliver: Sender,
    token: IssueToken,
    clock: Clock,
    log: Log,
    happened: float | None,
    sent: float,
    is_refused: bool,
) -> None:
    """A token that was issued after it is good, and one of the future ends no token of later."""
    good = token(subject="anna")
    content = body(kind="user.deleted")
    if happened is not None:
        content = content.replace(b"{", b'{"timestamp":"%s",' % at(happened).encode(), 1)
    deliver(content, at=sent)
    log.wait_for(PROCESSED)
    clock.now += 1

    assert status(deliver.client, good) == (401 if is_refused else 200)
    assert status(deliver.client, token(subject="anna")) == 200


def test_a_revocation_outlives_the_service(
    provider: Provider, clock: Clock, token: IssueToken, inbox_url: str, log: Log
) -> None:
    """The inbox remembers what this process forgets."""
    good, other = token(subject="anna"), token(subject="bert")
    with running(provider, clock, INBOX_DATABASE_URL=inbox_url) as client:
        logging.getLogger("app").addHandler(log)
        Sender(client, clock)(body(kind="user.deleted"))
        Sender(client, clock)(body("evt_2", kind="user.updated", user_id="bert"))
        log.wait_for(PROCESSED, 2)
    with running(provider, clock, INBOX_DATABASE_URL=inbox_url) as client:
        assert [status(client, good), status(client, other)] == [401, 200]


@pytest.mark.parametrize(
    ("inbox", "cache", "warnings"),
    [
        ("postgresql://localhost/inbox", "memory://", 1),
        ("postgresql://localhost/inbox", "redis://localhost", 0),
        ("sqlite:///inbox.sqlite", "memory://", 0),
    ],
)
def test_replicas_that_share_events_only_are_warned_about(
    log: Log, inbox: str, cache: str, warnings: int
) -> None:
    """An event reaches one of them, and the others go on."""
    variables = {"INBOX_DATABASE_URL": inbox, "CACHE_URL": cache}
    warn_of_processes_apart(AppSettings.read({**ENVIRON, **variables}))

    assert len(log.saying("a revocation reaches one process only")) == warnings


@pytest.mark.anyio
async def test_an_event_that_cannot_be_read_any_more_stops_no_start(log: Log) -> None:
    """It is said, and the others count."""
    known = memory()
    revocations = Revocations(known.verifier, None, 60, known.clock)
    bodies = {"evt_1": "{}", "evt_2": body("evt_2", kind="user.deleted").decode()}

    async def events() -> AsyncIterator[StoredEvent]:
        for event_id, content in bodies.items():
            yield StoredEvent(
                event_id, "user.deleted", "processed", NOW, NOW, 1, None, content, NOW
            )

    await restore(events(), revocations, NOW)

    with pytest.raises(InvalidToken):
        await revocations.check(claims()._replace(issued_at=NOW), "good")
    assert log.lines == ["event of the inbox not read event_id=evt_1"]
