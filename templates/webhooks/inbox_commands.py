"""The inbox on the command line, beside the running service: `python -m app.inbox --help`."""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from dbos import DBOSClient, DBOSPortableJSONSerializer, WorkflowStatus
from pydantic import BaseModel

from app.inbox import NAME, InboxSettings
from app.inbox_claim import SQLITE, sqlite_path
from app.inbox_events import BEGUN, STATES, State, StoredEvent, as_json, stored
from app.inbox_sqlite import complete_sqlite
from app.settings import Composition, InvalidSettings, environment

PAGE = 10_000
"""Events that are read at a time."""
BATCH = 1000
"""Events that are forgotten at a time: while SQLite does that, it takes no others."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class NotDone(Exception):
    """A command cannot do what it is asked for. The text is for people."""


class InboxAlone(Composition):
    """All that the commands need from the environment."""

    inbox: InboxSettings


class Stats(BaseModel):
    """How the inbox does."""

    waiting: int
    processed: int
    dead: int
    oldest_waiting_seconds: float | None


class Desk:
    """What people do with an inbox. It needs the database and no service."""

    def __init__(self, url: str) -> None:
        if url.startswith(SQLITE) and not sqlite_path(url).exists():
            raise NotDone(f"There is no inbox at {sqlite_path(url)}: the service makes one.")
        complete_sqlite()
        self._client = DBOSClient(
            system_database_url=url,
            serializer=DBOSPortableJSONSerializer(),
            application_name=NAME,
            retry_connection_errors=False,
        )

    def close(self) -> None:
        """Let go of the database."""
        self._client.destroy()

    def events(self, state: State | None = None) -> Iterator[StoredEvent]:
        """Yield the events, or those in one state, the oldest first and without their bodies."""
        for rows in self._pages(state):
            yield from map(stored, rows)

    def event(self, event_id: str) -> StoredEvent:
        """Return one event. Raises `NotDone`."""
        rows = self._client.list_workflows(workflow_ids=[event_id])
        if not rows:
            raise NotDone(f"The inbox has no event {event_id}.")
        return stored(rows[0])

    def retry(self, event_id: str) -> None:
        """Have an event processed once more, under its own id. Raises `NotDone`."""
        if self.event(event_id).state == "waiting":
            raise NotDone(f"Event {event_id} is not done yet: it goes on by itself.")
        self._client.update_workflow_attributes(event_id, {BEGUN: 0}, merge=True)
        self._client.rewind_workflow(event_id)

    def stats(self, now: float) -> Stats:
        """Return how many events are in which state. `now` is in seconds since 1970."""
        waiting = list(self.events("waiting"))
        return Stats(
            waiting=len(waiting),
            processed=self._count("processed"),
            dead=self._count("dead"),
            oldest_waiting_seconds=now - min(event.received_at for event in waiting)
            if waiting
            else None,
        )

    def purge(self, before: float, state: State) -> int:
        """Forget the events in a state that ended `before` (seconds since 1970). Return how many.

        Whoever sends one of them again after that sends a new event.
        """
        moment = datetime.fromtimestamp(before, UTC).isoformat()
        purged = 0
        while rows := self._client.list_workflows(
            status=STATES[state],
            completed_before=moment,
            limit=BATCH,
            load_input=False,
            load_output=False,
        ):
            self._client.delete_workflows([row.workflow_id for row in rows])
            purged += len(rows)
        return purged

    def _count(self, state: State) -> int:
        return sum(map(len, self._pages(state, load_output=False)))

    def _pages(
        self, state: State | None, *, load_output: bool = True
    ) -> Iterator[list[WorkflowStatus]]:
        names = STATES[state] if state else None
        offset = 0
        while rows := self._client.list_workflows(
            status=names, limit=PAGE, offset=offset, load_input=False, load_output=load_output
        ):
            yield rows
            offset += len(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parse(arguments)
    try:
        url = InboxAlone.read(environment()).inbox.database_url.get_secret_value()
        desk = Desk(url)
        try:
            options.command(desk, options)
        finally:
            desk.close()
    except (NotDone, InvalidSettings) as problem:
        print(problem, file=sys.stderr)
        return 1
    # Whatever the database says, its text may hold the address, and with it the password.
    except Exception as error:  # noqa: BLE001
        print(
            f"The inbox does not answer ({type(error).__name__}): look at INBOX_DATABASE_URL and "
            "the database there.",
            file=sys.stderr,
        )
        return 1
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command and its options."""
    parser = argparse.ArgumentParser(prog="python -m app.inbox", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="for programs")

    listing = commands.add_parser("list", parents=[common], help="list events, the oldest first")
    listing.add_argument("--status", choices=STATES, help="only those")
    listing.set_defaults(command=_list)
    show = commands.add_parser("show", parents=[common], help="show an event with its body")
    show.add_argument("id")
    show.set_defaults(command=_show)
    retry = commands.add_parser("retry", parents=[common], help="process an event once more")
    retry.add_argument("id")
    retry.set_defaults(command=_retry)
    stats = commands.add_parser("stats", parents=[common], help="count events")
    stats.set_defaults(command=_stats)
    purge = commands.add_parser("purge", parents=[common], help="forget events that are done")
    purge.add_argument("--older-than", type=seconds, required=True, help="as 90s, 5m, 12h or 7d")
    purge.add_argument("--dead", action="store_true", help="dead letters in place of processed")
    purge.set_defaults(command=_purge)
    return parser.parse_args(arguments)


def seconds(text: str) -> float:
    """Return a duration such as `7d` in seconds. Raises `ValueError`."""
    duration = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if duration is None:
        raise ValueError(text)
    return int(duration[1]) * UNITS[duration[2]]


def _list(desk: Desk, options: argparse.Namespace) -> None:
    events = desk.events(options.status)
    if options.json:
        _print_json([as_json(event) for event in events])
    else:
        _print_table(events)


def _show(desk: Desk, options: argparse.Namespace) -> None:
    document = as_json(desk.event(options.id))
    if options.json:
        _print_json(document)
        return
    for name, value in document.items():
        if name.endswith("_at"):
            value = _moment(value)
        elif name == "body":
            value = json.dumps(value, indent=2)
        print(f"{name}: {value}")


def _retry(desk: Desk, options: argparse.Namespace) -> None:
    desk.retry(options.id)
    if options.json:
        _print_json({"id": options.id, "state": "waiting"})
    else:
        print(f"Event {options.id} will be processed once more.")


def _stats(desk: Desk, options: argparse.Namespace) -> None:
    stats = desk.stats(time.time())
    if options.json:
        _print_json(stats.model_dump())
        return
    for name, value in stats.model_dump().items():
        print(f"{name}: {round(value) if isinstance(value, float) else value}")


def _purge(desk: Desk, options: argparse.Namespace) -> None:
    state: State = "dead" if options.dead else "processed"
    purged = desk.purge(time.time() - options.older_than, state)
    if options.json:
        _print_json({"purged": purged})
    else:
        print(f"{purged} events purged.")


def _print_json(document: object) -> None:
    print(json.dumps(document, indent=2))


def _print_table(events: Iterable[StoredEvent]) -> None:
    for event in events:
        cells = (_moment(event.received_at), event.state, event.type, event.id, event.reason or "")
        print("  ".join(cells).rstrip())


def _moment(value: Any) -> str:
    return "-" if value is None else datetime.fromtimestamp(value, UTC).isoformat("T", "seconds")
