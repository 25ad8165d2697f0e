"""Stored events on the command line: `python -m app.webhooks --help`."""

import argparse
import asyncio
import json
import sys
from datetime import UTC, datetime

import sqlalchemy as sa

from app.environment import InvalidSettings
from app.settings import InboxSettings
from app.webhooks import handlers  # noqa: F401 - its tables are created too
from app.webhooks.database import open_database
from app.webhooks.inbox import DEAD, DONE, events
from app.webhooks.revocation_feed import lift, purge_expired

STATES = ("waiting", "done", "dead")


def parse() -> argparse.Namespace:
    """Return the command and its options."""
    parser = argparse.ArgumentParser(prog="python -m app.webhooks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="list events, the oldest first")
    listing.add_argument("--state", choices=STATES, nargs="+", default=STATES)
    commands.add_parser("show", help="show an event and its body").add_argument("id")
    commands.add_parser("retry", help="process an event again").add_argument("id")
    purging = commands.add_parser("purge", help="delete events that ended some days ago")
    purging.add_argument("--days", type=float, required=True)
    purging.add_argument("--dead", action="store_true", help="dead letters, not processed events")
    commands.add_parser("lift", help="lift a user's deletion and disabling").add_argument("subject")
    commands.add_parser("create", help="create missing tables")
    return parser.parse_args()


async def run(options: argparse.Namespace) -> None:
    """Carry out a command. `create` is done once the database is open."""
    settings = InboxSettings.read()
    async with open_database(settings.inbox_database_url) as engine, engine.begin() as connection:
        if options.command == "list":
            listed = sa.select(events).where(events.c.state.in_(options.state))
            async for row in await connection.stream(listed.order_by(events.c.received_at)):
                received = datetime.fromtimestamp(row.received_at, UTC).isoformat(" ", "seconds")
                print(received, row.state, row.type, row.id, row.error or "", sep="  ")
        elif options.command == "show":
            found = await connection.execute(sa.select(events).where(events.c.id == options.id))
            event = found.mappings().first() or sys.exit(f"There is no event {options.id}.")
            print(json.dumps(dict(event), indent=2))
        elif options.command == "retry":
            ended = sa.update(events).where(events.c.id == options.id, events.c.state != "waiting")
            fresh = {"state": "waiting", "attempts": 0, "finished_at": None, "error": None}
            retry = ended.values(fresh | {"due_at": events.c.received_at})
            if not (await connection.execute(retry)).rowcount:
                sys.exit(f"There is no event {options.id} that is done or dead.")
        elif options.command == "purge":
            state = DEAD if options.dead else DONE
            # The largest `REVOCATION_TTL`: the service may have another one than this shell.
            print(await purge_expired(engine, options.days, state, 31_536_000), "events deleted")
        elif options.command == "lift":
            await lift(engine, options.subject)
            print(f"The deletion and the disabling of {options.subject} are lifted.")


def main() -> None:
    """Run one command. If it fails, exit with a sentence and the code 1."""
    try:
        asyncio.run(run(parse()))
    except InvalidSettings as problem:
        sys.exit(str(problem))
    except sa.exc.SQLAlchemyError as error:
        sys.exit(f"The database does not answer ({type(error).__name__}).")


if __name__ == "__main__":
    main()
