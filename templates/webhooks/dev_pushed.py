"""Shows how an event ends a token at once: calls of the demonstration."""

import time
from collections.abc import Iterator

from dev.calls import fetch_token
from dev.clients import READER
from dev.deliveries import RECEIVED, delivery
from dev.demo import Caller, Row
from dev.promises import INVALID_TOKEN, Outcome
from dev.signing import deliver, event, signed

PATIENCE = 5.0
"""Seconds that an event may take from its answer to its effect."""


def pushed(caller: Caller) -> Iterator[Row]:
    """Use a token, send the event that ends it, twice, and use it again."""
    token = "Bearer " + fetch_token(caller.provider.public, READER)
    body = event("user.deleted", READER.client_id)
    yield caller.row("before the event", Outcome(200, "", "user reader"), token)
    reply = deliver(caller.service_url, body, signed(body))
    yield delivery("the token's subject is deleted", RECEIVED, reply)
    deadline = time.monotonic() + PATIENCE
    refused = caller.row("after the event", INVALID_TOKEN, token)
    while not refused.good and time.monotonic() < deadline:
        time.sleep(0.02)
        refused = caller.row("after the event", INVALID_TOKEN, token)
    yield refused
    reply = deliver(caller.service_url, body, signed(body))
    yield delivery("the same event again", RECEIVED, reply)
