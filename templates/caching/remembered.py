"""Shows what is remembered about a token, and what is not."""

import argparse
from collections.abc import Iterator

from dev.calls import fetch_token, revoke_token
from dev.clients import READER, WRITER
from dev.commands import Commands
from dev.demo import Caller, Row, beside_provider, show
from dev.promises import INSUFFICIENT_SCOPE, INVALID_TOKEN, Outcome
from dev.specimens import PROVIDER_GONE, REVOKED

ANOTHER = b'{"name": "lever"}'
NOT_FOUND = Outcome(404, "", "Widget not found")


def add_remembered(commands: Commands) -> None:
    """Add the command `remembered`."""
    show_all = commands.add_parser("remembered", help="show what is remembered about a token")
    show_all.set_defaults(command=_remembered)


def _remembered(options: argparse.Namespace) -> int:
    with beside_provider() as (caller, end_provider):
        reader = "Bearer " + fetch_token(caller.provider.public, READER)
        unknown = "Bearer " + fetch_token(caller.provider.public, READER)
        rows = [caller.row("first time", Outcome(200, "", "user reader"), reader)]
        rows.extend(revoked(caller))
        end_provider()
        rows.extend(without_provider(caller, reader, unknown))
    return show(rows)


def revoked(caller: Caller) -> Iterator[Row]:
    """Make the calls with a token that is revoked after it was remembered."""
    token = f"Bearer {caller.writer}"
    accepted = Outcome(200, "", "user writer")
    yield caller.row("first time", accepted, token)
    revoke_token(caller.provider.public, WRITER, caller.writer)
    yield caller.row("revoked, remembered", accepted, token)
    asked = INVALID_TOKEN if REVOKED == INVALID_TOKEN else NOT_FOUND
    yield caller.row("revoked, asked anew", asked, token, path="/widgets/none", method="DELETE")
    yield caller.row("revoked, known by now", REVOKED, token)


def without_provider(caller: Caller, remembered: str, unknown: str) -> Iterator[Row]:
    """Make the calls while nobody can be asked."""
    accepted = Outcome(200, "", "user reader")
    yield caller.row("provider gone, remembered", accepted, remembered)
    call = "provider gone, remembered, scope is missing"
    yield caller.row(call, INSUFFICIENT_SCOPE, remembered, method="POST", body=ANOTHER)
    gone = accepted if PROVIDER_GONE.status == 200 else PROVIDER_GONE
    yield caller.row("provider gone, not remembered", gone, unknown)
