"""That no event is lost and none is processed twice, whatever the database and the process do."""

import asyncio
import errno
import json
import logging
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from dbos import DBOS
from starlette.testclient import TestClient

from app.events import Event, parse_event
from app.handlers import Handler
from app.inbox import Inbox, InboxSettings, open_inbox
from app.inbox_claim import InboxNotOpened, Replica
from app.inbox_thread import Precedence
from app.processing import Processing
from app.service import create_app
from app.wiring import AppSettings
from tests.callers import NOW, Clock
from tests.conftest import ENVIRON, Start
from tests.webhooks.conftest import Log, Sender, assert_refused, body, eventually


class Calls:
    """A handler that notes what it is called with, fails, or waits."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.fails = False
        self.go_on: asyncio.Event | None = None

    async def __call__(self, event: Event, subject: str, at: float) -> None:
        self.ids.append(event.id)
        if self.go_on is not None:
            await self.go_on.wait()
        if self.fails:
            raise ValueError("hunter2")


@pytest.fixture
def calls() -> Calls:
    return Calls()


@asynccontextmanager
async def opened(
    url: str, handlers: Mapping[str, Handler], lasting: Collection[str] = ()
) -> AsyncIterator[Inbox]:
    """Open an inbox that tries once."""
    settings = InboxSettings.model_validate({"INBOX_DATABASE_URL": url})
    async with open_inbox(settings, Processing(handlers, Clock(), pauses=()), lasting) as inbox:
        yield inbox


async def put(inbox: Inbox, event_id: str = "evt_1", kind: str = "user.updated") -> None:
    """Put an event into the inbox as the receiver does."""
    content = body(event_id, kind)
    await inbox.put(parse_event(content), content, NOW)


async def until(happened: Callable[[], bool]) -> None:
    """Wait until `happened`."""
    await asyncio.to_thread(eventually, happened)


async def left_undone(url: str, calls: Calls, event_id: str = "evt_1") -> None:
    """Have a process begin an event, and end in the midst of it."""
    calls.go_on = asyncio.Event()
    async with opened(url, {"user.updated": calls}) as inbox:
        await put(inbox, event_id)
        await until(lambda: calls.ids == [event_id])
    calls.go_on = None


@pytest.mark.anyio
async def test_an_id_is_one_event(inbox_url: str, calls: Calls) -> None:
    """W6: at the same time, later, and after a restart."""
    for _ in range(2):
        async with opened(inbox_url, {"user.updated": calls}) as inbox:
            await asyncio.gather(*(put(inbox) for _ in range(5)))
            await until(lambda: calls.ids != [])
            await put(inbox)

    assert calls.ids == ["evt_1"]


@pytest.mark.anyio
async def test_the_sender_has_its_answer_first(
    inbox_url: str, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.inbox.HEAD_START", 0.5)
    monkeypatch.setattr("app.inbox.LONGEST_DELAY", 60)
    async with opened(inbox_url, {"user.updated": calls}) as inbox:
        await put(inbox)
        await asyncio.sleep(0.25)
        too_early = calls.ids.copy()
        await until(lambda: calls.ids != [])

    assert too_early == []


@pytest.mark.anyio
async def test_while_there_are_senders_events_are_processed_all_the_same() -> None:
    """After a while, and there may be senders all the time."""
    senders = Precedence(head_start=0, longest=0.1)
    with senders.go_first(), senders.go_first():
        async with asyncio.timeout(10):
            await senders.give_way()


@pytest.mark.anyio
async def test_all_senders_go_first() -> None:
    senders = Precedence(head_start=0, longest=60)
    with senders.go_first():
        with senders.go_first():
            waiting = asyncio.create_task(senders.give_way())
        await asyncio.sleep(0.05)
        too_early = waiting.done()
    await waiting

    assert not too_early


@pytest.mark.anyio
async def test_what_was_not_done_is_done_after_the_next_start(
    inbox_url: str, calls: Calls, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W12: the sender has its 200, so nobody but this service knows of the event."""
    monkeypatch.setattr("app.inbox.GRACE", 0.01)
    await left_undone(inbox_url, calls)
    assert log.lines == []
    async with opened(inbox_url, {"user.updated": calls}):
        await until(lambda: log.saying("webhook processed") != [])

    assert calls.ids == ["evt_1", "evt_1"]
    assert "anna" not in "".join(log.lines)
    assert log.saying("webhook processed") == [
        "webhook processed event_id=evt_1 event_type=user.updated repeated=true"
    ]


@pytest.mark.anyio
async def test_an_event_that_is_never_done_is_dead_in_the_end(
    inbox_url: str, calls: Calls, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ends the process each time must not do so for ever."""
    monkeypatch.setattr("app.inbox.GRACE", 0.01)
    monkeypatch.setattr("app.processing.MAX_STARTS", 2)
    await left_undone(inbox_url, calls)
    calls.go_on = asyncio.Event()
    async with opened(inbox_url, {"user.updated": calls}):
        await until(lambda: len(calls.ids) == 2)
    async with opened(inbox_url, {"user.updated": calls}):
        await until(lambda: log.saying("webhook dead") != [])

    assert calls.ids == ["evt_1", "evt_1"]
    assert log.saying("webhook dead") == [
        "webhook dead event_id=evt_1 event_type=user.updated reason=starts"
    ]


@pytest.mark.anyio
async def test_what_a_handler_does_is_its_own(inbox_url: str) -> None:
    """In the library's context it would be part of the workflow, and of what that stores."""
    contexts = []

    async def handle(event: Event, subject: str, at: float) -> None:
        contexts.append(DBOS.workflow_id)

    async with opened(inbox_url, {"user.updated": handle}) as inbox:
        await put(inbox)
        await until(lambda: contexts != [])

    assert contexts == [None]


@pytest.mark.anyio
async def test_events_get_to_their_end_when_the_service_ends(
    inbox_url: str, calls: Calls, log: Log
) -> None:
    """So that an orderly restart repeats nothing."""
    calls.go_on = asyncio.Event()
    async with opened(inbox_url, {"user.updated": calls}, lasting={"user.updated"}) as inbox:
        await put(inbox)
        await until(lambda: calls.ids == ["evt_1"])
        asyncio.get_running_loop().call_later(0.05, calls.go_on.set)
    async with opened(inbox_url, {"user.updated": calls}) as inbox:
        stored = [event async for event in inbox.lasting(60)]

    assert [event.state for event in stored] == ["processed"]
    assert calls.ids == ["evt_1"]


@pytest.mark.anyio
async def test_a_failing_handler_leaves_nothing_in_the_log(
    inbox_url: str, calls: Calls, log: Log, capfd: pytest.CaptureFixture[str]
) -> None:
    """L1: no traceback and no text of the handler, which may be about the event."""
    calls.fails = True
    async with opened(inbox_url, {"user.updated": calls}) as inbox:
        await put(inbox)
        await until(lambda: log.saying("webhook dead") != [])

    assert log.lines == ["webhook dead event_id=evt_1 event_type=user.updated reason=ValueError"]
    assert "hunter2" not in "".join(capfd.readouterr())
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.anyio
async def test_only_json_is_stored(inbox_url: str, calls: Calls) -> None:
    """What is read back must not be able to run."""
    calls.fails = True
    async with opened(inbox_url, {"user.updated": calls}) as inbox:
        await put(inbox)
        await until(lambda: calls.ids != [])
    with closing(sqlite3.connect(inbox_url.removeprefix("sqlite:///"))) as database:
        formats = database.execute("SELECT DISTINCT serialization FROM workflow_status").fetchall()
        [(arguments,)] = database.execute("SELECT inputs FROM workflow_input").fetchall()
        [(failure,)] = database.execute("SELECT error FROM workflow_output").fetchall()

    assert formats == [("portable_json",)]
    assert json.loads(arguments)["positionalArgs"] == [body("evt_1").decode(), NOW]
    assert json.loads(failure)["message"] == "ValueError"


@pytest.mark.anyio
async def test_lasting_events_are_found_again(inbox_url: str, calls: Calls) -> None:
    """By when they came, whatever became of them, with their bodies."""
    handlers = {"user.updated": calls, "user.deleted": calls}
    async with opened(inbox_url, handlers, lasting={"user.deleted"}) as inbox:
        await put(inbox, "evt_1")
        await put(inbox, "evt_2", "user.deleted")
        young = [event async for event in inbox.lasting(60)]
        old = [event async for event in inbox.lasting(-60)]

    assert [(event.id, event.body, event.sent_at) for event in young] == [
        ("evt_2", body("evt_2", "user.deleted").decode(), NOW)
    ]
    assert old == []


@pytest.mark.anyio
async def test_an_id_is_one_event_whatever_its_type(inbox_url: str, calls: Calls) -> None:
    """The sender hears that it is known, and need not come again."""
    handlers = {"user.updated": calls, "user.deleted": calls}
    async with opened(inbox_url, handlers, lasting={"user.deleted"}) as inbox:
        for kind in ("user.updated", "user.deleted", "user.updated"):
            await put(inbox, "evt_1", kind)
        for kind in ("user.deleted", "user.updated"):
            await put(inbox, "evt_2", kind)
        await until(lambda: len(calls.ids) == 2)

    assert sorted(calls.ids) == ["evt_1", "evt_2"]


@pytest.mark.anyio
async def test_what_is_purged_or_comes_meanwhile_hides_no_lasting_event(
    inbox_url: str, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read in parts, while senders and the commands go on."""
    monkeypatch.setattr("app.inbox.PAGE", 4)
    monkeypatch.setattr("app.inbox.OVERLAP", 1)
    ids = [f"evt_{number}" for number in range(10, 22)]
    found = []
    async with opened(inbox_url, {"user.deleted": calls}, lasting={"user.deleted"}) as inbox:
        for event_id in ids:
            await put(inbox, event_id, "user.deleted")
        await until(lambda: sorted(calls.ids) == ids)
        async for event in inbox.lasting(60):
            found.append(event.id)
            if len(found) == 1:
                await put(inbox, "evt_22", "user.deleted")
                with closing(sqlite3.connect(inbox_url.removeprefix("sqlite:///"))) as database:
                    oldest = "DELETE FROM workflow_status WHERE workflow_uuid < 'evt_13'"
                    database.execute(oldest)
                    database.commit()

    assert set(found) == set(ids[3:])


@pytest.mark.anyio
async def test_a_second_process_is_refused_in_words(inbox_url: str) -> None:
    """Both would run the events that the other one works on."""
    async with opened(inbox_url, {}):
        with pytest.raises(InboxNotOpened, match=r"^Another process has the inbox .* open: "):
            async with opened(inbox_url, {}):
                pass
    async with opened(inbox_url, {}) as again:
        await again.check()


@pytest.mark.anyio
async def test_a_folder_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(InboxNotOpened, match=r"cannot be opened \(No such file or directory\)"):
        async with opened(f"sqlite:///{tmp_path}/missing/inbox.sqlite", {}):
            pass


@pytest.mark.anyio
async def test_a_folder_in_the_place_of_a_file_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(InboxNotOpened, match=r"cannot be opened \(\w+\): look at"):
        async with opened(f"sqlite:///{tmp_path}", {}):
            pass


@pytest.mark.anyio
async def test_a_disk_without_locks_is_said_in_words(
    inbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(InboxNotOpened, match=r"cannot be locked \(No locks available\): put it on"):
        async with opened(inbox_url, {}):
            pass


def write_diary(url: str) -> None:
    """Write something else where the inbox should be."""
    Path(url.removeprefix("sqlite:///")).write_text("Dear diary, " * 100)


@pytest.mark.anyio
async def test_a_file_that_is_no_inbox_is_said_in_words(
    inbox_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write_diary(inbox_url)
    with pytest.raises(InboxNotOpened, match=r"cannot be opened \(DatabaseError\): look at"):
        async with opened(inbox_url, {}):
            pass

    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.anyio
async def test_no_server_at_the_address_is_said_without_the_password() -> None:
    with pytest.raises(InboxNotOpened, match="The inbox cannot be opened: no Post") as refusal:
        async with opened("postgresql://me:hunter2@127.0.0.1:9/inbox", {}):
            pass

    assert "hunter2" not in str(refusal.value)


@dataclass
class Server:
    """A PostgreSQL whose locks somebody else may have."""

    taken: bool = False
    connections: list["Connection"] = field(default_factory=list)

    def connect(self, *_: object, **__: object) -> "Connection":
        self.connections.append(Connection(self))
        return self.connections[-1]


@dataclass
class Connection:
    """One to it, which may be lost."""

    server: Server
    is_lost: bool = False

    def execute(self, *_: object) -> "Connection":
        if self.is_lost:
            raise psycopg.OperationalError
        return self

    def fetchone(self) -> tuple[bool]:
        return (not self.server.taken,)

    def close(self) -> None:
        self.is_lost = True


def test_a_number_that_another_took_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of one number would do each other's events."""
    server = Server()
    monkeypatch.setattr("psycopg.connect", server.connect)
    replica = Replica("postgresql://localhost/inbox")
    server.connections[0].close()
    server.taken = True
    for _ in range(2):
        with pytest.raises(InboxNotOpened, match=r"took the number 0 .* restart this one"):
            replica.hold()
    server.taken = False
    replica.hold()

    assert len(server.connections) == 4


def test_a_service_without_its_inbox_says_why(start: Start, inbox_url: str) -> None:
    """To its supervisor, in place of a traceback."""
    start(INBOX_DATABASE_URL=inbox_url)
    with pytest.raises(InboxNotOpened):
        start(INBOX_DATABASE_URL=inbox_url)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up sooner than a sender would."""
    monkeypatch.setattr("app.inbox.PUT_TIMEOUT", 0.2)


def lock(url: str, kind: str = "EXCLUSIVE") -> sqlite3.Connection:
    """Lock the database, as a backup or another tool may do."""
    database = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    database.execute(f"BEGIN {kind}")
    return database


@pytest.mark.usefixtures("hurried")
def test_w11_a_locked_inbox_is_no_silence(deliver: Sender, inbox_url: str, log: Log) -> None:
    """503 at once, and what the sender repeats then is the same event."""
    with closing(lock(inbox_url)):
        response = deliver(body())
        ready = deliver.client.get("/health/ready")
        live = deliver.client.get("/health/live")
    again = deliver(body())

    assert_refused(response, 503, "Inbox unavailable")
    assert int(response.headers["retry-after"]) >= 1
    assert (ready.status_code, ready.json()["missing"]) == (503, ["inbox"])
    assert live.status_code == 200
    assert again.status_code == 200
    log.wait_for("webhook processed")
    deliver(body("evt_2"))
    assert len(log.wait_for("webhook processed", 2)) == 2


@pytest.mark.usefixtures("hurried")
def test_w11_a_locked_inbox_is_not_waited_for(deliver: Sender, inbox_url: str) -> None:
    """It is free again after two seconds, and the sender has its answer before that."""
    locked = threading.Event()

    def lock_for_two_seconds() -> None:
        with closing(lock(inbox_url)):
            locked.set()
            time.sleep(2)

    other = threading.Thread(target=lock_for_two_seconds)
    other.start()
    locked.wait()
    response = deliver(body())
    other.join()

    assert_refused(response, 503, "Inbox unavailable")


@pytest.mark.usefixtures("hurried")
def test_w11_an_inbox_that_can_only_be_read_is_not_ready(deliver: Sender, inbox_url: str) -> None:
    """It answers questions, and yet takes no event."""
    with closing(lock(inbox_url, "IMMEDIATE")):
        deliver(body())
        ready = deliver.client.get("/health/ready")

    assert ready.json() == {"status": "unavailable", "missing": ["inbox"]}


@pytest.mark.usefixtures("hurried")
def test_w11_only_so_many_wait_for_a_locked_inbox(
    deliver: Sender, inbox_url: str, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds a thread. All are let go when the lock is."""
    monkeypatch.setattr("app.inbox.MAX_WAITING", 2)
    with closing(lock(inbox_url)):
        responses = [deliver(body(f"evt_{number}")) for number in range(4)]
    eventually(lambda: deliver(body("evt_9")).status_code == 200)

    assert [response.status_code for response in responses] == [503] * 4
    assert log.saying("webhook refused")[:4] == [
        *["webhook refused status=503 reason=timeout"] * 2,
        *["webhook refused status=503 reason=full"] * 2,
    ]


def test_w11_an_inbox_that_is_gone_is_no_500(deliver: Sender, inbox_url: str, log: Log) -> None:
    with closing(sqlite3.connect(inbox_url.removeprefix("sqlite:///"))) as database:
        database.execute("DROP TABLE workflow_status")
        database.commit()
    response = deliver(body(user_id="hunter2"))
    ready = deliver.client.get("/health/ready")

    assert_refused(response, 503, "Inbox unavailable")
    assert ready.json()["missing"] == ["inbox"]
    assert "hunter2" not in "".join(log.lines)


def test_the_service_is_ready_with_its_inbox(deliver: Sender) -> None:
    assert deliver.client.get("/health/ready").json() == {"status": "ok"}


def test_the_library_writes_in_the_services_own_way(
    start: Start, inbox_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a record, no traceback, no statement with an event in it, and no greeting."""
    start(INBOX_DATABASE_URL=inbox_url)
    library = logging.getLogger("dbos")
    library.info("Launched! See https://example.com")
    try:
        raise ValueError("hunter2")
    except ValueError:
        library.exception("It failed\nINSERT hunter2")
    written = capsys.readouterr().err

    assert written.endswith("ERROR dbos It failed\n")
    assert "hunter2" not in written
    assert "Launched" not in written


def test_making_the_application_opens_nothing(tmp_path: Path) -> None:
    """Only its start does: whoever imports it, to look at its routes say, leaves no file."""
    url = f"sqlite:///{tmp_path}/inbox.sqlite"
    app = create_app(AppSettings.read({**ENVIRON, "INBOX_DATABASE_URL": url}))

    assert list(tmp_path.iterdir()) == []
    with TestClient(app):
        assert Path(f"{tmp_path}/inbox.sqlite").exists()
