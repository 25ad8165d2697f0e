"""The inbox: events are stored before the sender's answer and processed after it, once by id.

It is built on dbos: an event is a workflow, and its id is the workflow's, so a repeat is the same
one. What a killed process left undone is taken up at its next start.

    python -m app.inbox --help    lists, shows, retries and purges events
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from contextvars import Context, ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

from dbos import (
    DBOS,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    SetWorkflowAttributes,
    SetWorkflowID,
    WorkflowStatus,
)
from dbos import error as errors
from pydantic import Field, SecretStr, field_validator

from app.events import Event
from app.inbox_claim import SQLITE, InboxNotOpened, OnlyOne, Replica, claim
from app.inbox_events import BEGUN, TYPE, StoredEvent, stored
from app.inbox_log import library_log
from app.inbox_sqlite import complete_sqlite
from app.inbox_thread import LoopThread, Precedence
from app.processing import Processing
from app.settings import Settings
from app.webhook_errors import InboxUnavailable

logger = logging.getLogger("app.inbox")

NAME = "inbox"
EVENT = "event"
LASTING = "lasting event"
"""What events are stored as, which is all that the library finds them by in SQLite: those that a
new process has to know of are few among the others, which may be hundreds of thousands."""
VERSION = "1"
"""Of what is stored. Events of another version are left alone, so it outlives most releases."""
PUT_TIMEOUT = 3.0
"""Seconds that a sender waits for its event to be stored."""
MAX_WAITING = 64
"""How many events may wait to be stored, each with a thread, while the database does not answer."""
SQLITE_CONNECTIONS = 4
"""SQLite has one writer at a time, and threads that wait for each other's turn here do so in order;
those that wait for the file look for it again and again, in none."""
PAGE = 1000
"""Events that are read at a time."""
OVERLAP = 100
"""Events that are read again with the next ones: those of one millisecond have no fixed order."""
HEAD_START = 0.005
"""Seconds that a sender's answer has before its event is processed."""
LONGEST_DELAY = 0.5
"""Seconds that the processing of an event waits for senders, of whom there may always be some."""
ADOPTION = 30.0
"""Seconds between two looks for events whose process is gone."""
GRACE = 2.0
"""Seconds that events get to be done with when the service ends."""

Workflow = Callable[[str, float], Coroutine[Any, Any, None]]

# Set where an event is put, and so not where it is taken up again
_put_here: ContextVar[bool] = ContextVar("put_here", default=False)


class InboxSettings(Settings):
    """Where events are stored."""

    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///inbox.sqlite"),
        alias="INBOX_DATABASE_URL",
        description="an SQLite file, or a PostgreSQL for more than one replica",
        examples=["sqlite:///inbox.sqlite"],
    )

    @field_validator("database_url")
    @classmethod
    def _durable(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        scheme, _, place = text.partition(":///" if text.startswith("sqlite:") else "://")
        if scheme not in ("sqlite", "postgresql") or not place or place.startswith(":memory:"):
            raise ValueError(
                "is not the address of a database that lasts: set sqlite:/// and a file, or "
                "postgresql:// and a database"
            )
        return url


class Inbox:
    """The inbox of a running service. There is one in a process."""

    def __init__(self, processing: Processing, lasting: Collection[str]) -> None:
        self._processing = processing
        self._lasting = lasting
        self._service = asyncio.get_running_loop()
        self._thread = LoopThread(NAME)
        self._senders = Precedence(HEAD_START, LONGEST_DELAY)
        self._waiting = 0
        self._late = 0
        self._probe: Future[None] | None = None
        self._adopting: Future[None] | None = None

    def knows(self, kind: str) -> bool:
        """Tell whether anything happens with events of a type."""
        return self._processing.knows(kind)

    async def put(self, event: Event, body: bytes, sent_at: float) -> None:
        """Store an event for good and have it processed, unless its id is known.

        `sent_at` is in seconds since 1970. Raises `InboxUnavailable`; it may be stored all the
        same, later.
        """
        if self._waiting >= MAX_WAITING:
            raise InboxUnavailable("full")
        self._waiting += 1
        storing = asyncio.wrap_future(self._thread.submit(self._put(event, body, sent_at)))
        storing.add_done_callback(self._stored)
        try:
            async with asyncio.timeout(PUT_TIMEOUT):
                await asyncio.shield(storing)
        except TimeoutError:
            if not storing.done():
                self._late += 1
                storing.add_done_callback(self._no_longer_late)
            raise InboxUnavailable("timeout") from None
        # Whatever the database says, the sender has to come again.
        except Exception as error:  # noqa: BLE001
            raise InboxUnavailable(type(error).__name__) from None

    async def check(self) -> None:
        """Raise `InboxUnavailable` unless the database answers and takes events."""
        if self._late:
            raise InboxUnavailable("timeout")
        # One question at a time: while the database does not answer, each holds a thread.
        if self._probe is None or self._probe.done():
            self._probe = self._thread.submit(self._ask())
        answer = asyncio.wrap_future(self._probe)
        answer.add_done_callback(_seen)
        try:
            await asyncio.shield(answer)
        except Exception as error:  # noqa: BLE001 - whatever the database says, it is not well
            raise InboxUnavailable(type(error).__name__) from None

    async def lasting(self, seconds: float) -> AsyncIterator[StoredEvent]:
        """Yield the lasting events that came within so many seconds, some of them twice."""
        start = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
        place, page = 0, PAGE
        while page == PAGE:
            # The newest first: what is stored or purged meanwhile hides none that is still to come.
            listing = DBOS.list_workflows_async(
                name=LASTING,
                start_time=start,
                sort_desc=True,
                limit=PAGE,
                offset=place,
                load_output=False,
            )
            rows = await self._thread.run(listing)
            for row in rows:
                yield stored(row)
            page = len(rows)
            place += PAGE - OVERLAP

    async def open(self, url: str, claimed: OnlyOne | Replica) -> None:
        """Launch the library, which brings the database up to date."""
        await self._thread.run(self._launch(url, claimed.executor))
        if isinstance(claimed, Replica):
            self._adopting = self._thread.submit(self._adopt(claimed))

    async def close(self) -> None:
        """End the library. What is not done by then is done after the next start."""
        if self._adopting is not None:
            self._adopting.cancel()
        await self._thread.settle(GRACE)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        # What the library took up between the two
        await self._thread.stop()

    async def _put(self, event: Event, body: bytes, sent_at: float) -> None:
        _put_here.set(True)
        workflow = self._workflows[LASTING if event.type in self._lasting else EVENT]
        # An id that is known is no news, also where the event that had it was of another type.
        with (
            self._senders.go_first(),
            SetWorkflowID(event.id),
            SetWorkflowAttributes({TYPE: event.type}),
            suppress(errors.DBOSConflictingWorkflowError),
        ):
            await DBOS.start_workflow_async(workflow, body.decode(), sent_at)

    async def _ask(self) -> None:
        await DBOS.list_workflows_async(limit=1, load_input=False, load_output=False)

    async def _launch(self, url: str, executor: str) -> None:
        config: DBOSConfig = {
            "name": NAME,
            "system_database_url": url,
            "application_version": VERSION,
            "executor_id": executor,
            "log_level": "WARNING",
            "enable_otlp": False,
            # No pickles, so nothing that is stored can run when it is read.
            "serializer": DBOSPortableJSONSerializer(),
            # Nothing of an event in the text of an error.
            "db_engine_kwargs": {"hide_parameters": True},
            "sys_db_pool_size": SQLITE_CONNECTIONS if url.startswith(SQLITE) else None,
            "max_executor_threads": 2 * MAX_WAITING,
            # Nobody here is notified. The thread that looks sleeps this long when all has to end.
            "use_listen_notify": False,
            "notification_listener_polling_interval_sec": 0.02,
        }
        DBOS(config=config)
        self._workflows = {name: self._workflow(name) for name in (EVENT, LASTING)}
        DBOS.launch()

    def _workflow(self, name: str) -> Workflow:
        """Return what the library does with an event.

        It has no step: the only one there is would cost two more transactions for each event, and
        the workflow's own outcome says all that a step's would.
        """

        @DBOS.workflow(name=name, max_recovery_attempts=None)
        async def workflow(body: str, sent_at: float) -> None:
            await self._senders.give_way()
            starts = 1 if _put_here.get() else await _starts(str(DBOS.workflow_id))
            await self._process(body, sent_at, starts)

        return workflow

    async def _adopt(self, replica: Replica) -> None:
        """Take over what replicas left undone that are gone for good, as after scaling down.

        One that only lost its connection has until the second look to come back.
        """
        gone: set[str] = set()
        while True:
            try:
                # It waits for the network, and nothing else here may.
                await asyncio.to_thread(replica.hold)
                missing: set[str] = set()
                for executor in {str(row.executor_id) for row in await _begun()}:
                    with replica.in_place_of(executor) as free:
                        if free and executor in gone:
                            await _hand_over(executor)
                        elif free:
                            missing.add(executor)
                gone = missing
            # The next look may be luckier, and nothing is lost until then.
            except Exception as error:  # noqa: BLE001
                logger.warning("events not adopted reason=%s", type(error).__name__)
            await asyncio.sleep(ADOPTION)

    async def _process(self, body: str, sent_at: float, starts: int) -> None:
        """Process an event in the service's own loop, where its connections are."""
        work = self._processing.process(body.encode(), sent_at, starts)
        # Nothing that a handler does is part of the workflow.
        submitted = Context().run(asyncio.run_coroutine_threadsafe, work, self._service)
        await asyncio.wrap_future(submitted)

    def _stored(self, storing: "asyncio.Future[Any]") -> None:
        self._waiting -= 1
        _seen(storing)

    def _no_longer_late(self, _: "asyncio.Future[Any]") -> None:
        self._late -= 1


def _seen(future: "asyncio.Future[Any]") -> None:
    """Look at an outcome, so that nobody complains about an error that came too late."""
    _ = future.cancelled() or future.exception()


async def _begun(executor: str | None = None) -> list[WorkflowStatus]:
    """Return the events that somebody works on, or that `executor` does."""
    return await DBOS.list_workflows_async(
        status="PENDING", executor_id=executor, load_input=False, load_output=False
    )


async def _hand_over(executor: str) -> None:
    """Have what `executor` worked on begun again, by whoever comes first."""
    for event in map(stored, await _begun(executor)):
        begun = {BEGUN: event.attempts}
        await DBOS.update_workflow_attributes_async(event.id, begun, merge=True)
        await DBOS.resume_workflow_async(event.id)


async def _starts(event_id: str) -> int:
    """Return how often an event was begun, this time included.

    The question is not part of the workflow, which would keep the first answer for all times.
    """
    asking = DBOS.get_workflow_status_async(event_id)
    row = await asyncio.create_task(asking, context=Context())
    return 1 if row is None else stored(row).attempts


@asynccontextmanager
async def open_inbox(
    settings: InboxSettings, processing: Processing, lasting: Collection[str] = ()
) -> AsyncIterator[Inbox]:
    """Open the inbox while the block lasts. Raises `InboxNotOpened`.

    `lasting` are the types of events that a new process has to know of.
    """
    url = settings.database_url.get_secret_value()
    complete_sqlite()
    with claim(url) as claimed, library_log():
        inbox = Inbox(processing, lasting)
        try:
            await inbox.open(url, claimed)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing can be done without it
            await inbox.close()
            raise InboxNotOpened(
                f"The inbox cannot be opened ({type(error).__name__}): look at INBOX_DATABASE_URL "
                "and the database there."
            ) from None
        try:
            yield inbox
        finally:
            await inbox.close()


if __name__ == "__main__":
    from app.inbox_commands import main

    sys.exit(main())
