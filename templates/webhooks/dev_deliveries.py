"""Events for the running service: one on the command line, and every kind in the demonstration."""

import argparse
import json
import time
from collections.abc import Iterator

from app.webhooks.signature import PATH
from dev.calls import CallFailed, Reply
from dev.commands import Commands
from dev.demo import Caller, Row
from dev.environment import HOST
from dev.promises import Outcome
from dev.signing import SECRET, deliver, event, signed

RECEIVED = Outcome(200, "", "received")
INVALID_SIGNATURE = Outcome(401, "", "Invalid signature")
INVALID_PAYLOAD = Outcome(400, "", "Invalid payload")
REUSED = Outcome(409, "", "Event id already used")
UNSUPPORTED = Outcome(415, "", "Unsupported media type")


def add_send(commands: Commands) -> None:
    """Add the command `send`."""
    send = commands.add_parser("send", help="sign an event and send it to the running service")
    send.add_argument("type", help="such as user.deleted")
    send.add_argument("--subject", help="the user that it is about")
    send.add_argument("--data", type=json_object, help="what it says, as a JSON object")
    send.add_argument("--id", help="its id, to send it twice; by default a new one")
    send.add_argument("--secret", default=SECRET, help="one of the service's WEBHOOK_SECRETS")
    send.add_argument("--port", type=int, default=8000, help="of the service")
    send.set_defaults(command=_send)


def json_object(text: str) -> dict[str, object]:
    """Parse a JSON object. Raises `ValueError`."""
    document: object = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def _send(options: argparse.Namespace) -> int:
    body = event(options.type, options.subject, options.id, options.data)
    reply = deliver(f"http://{HOST}:{options.port}", body, signed(body, options.secret))
    if reply.status != 200:
        detail = reply.document().get("detail")
        raise CallFailed(f"The service refuses the event: {reply.status} {detail}.")
    print(body.decode())
    return 0


def delivery(call: str, expected: Outcome, reply: Reply) -> Row:
    """Return what came of a delivery."""
    detail = "received" if reply.document().get("received") else ""
    seen = Outcome(reply.status, "", detail or str(reply.document().get("detail", "")))
    return Row(f"POST {PATH}  {call}", expected, seen)


def deliveries(caller: Caller) -> Iterator[Row]:
    """Send good and bad deliveries and note what comes of them."""
    service_url, row = caller.service_url, delivery
    body = event("user.updated", "anna")
    yield row("an event", RECEIVED, deliver(service_url, body, signed(body)))
    other = event("user.created", "anna", str(json.loads(body)["id"]))
    yield row("another under its id", REUSED, deliver(service_url, other, signed(other)))
    yield row("the same again", RECEIVED, deliver(service_url, body, signed(body)))
    unknown = event("user.renamed", "anna")
    yield row("of an unknown type", RECEIVED, deliver(service_url, unknown, signed(unknown)))
    yield row("not signed", INVALID_SIGNATURE, deliver(service_url, body, {}))
    forged = signed(body, "whsec_of_somebody_else_0123456789abcdef")
    yield row("wrong signature", INVALID_SIGNATURE, deliver(service_url, body, forged))
    old = signed(body, at=time.time() - 600)
    yield row("ten minutes old", INVALID_SIGNATURE, deliver(service_url, body, old))
    compressed = {**signed(body), "Content-Encoding": "gzip"}
    yield row("compressed", UNSUPPORTED, deliver(service_url, body, compressed))
    yield row("no event", INVALID_PAYLOAD, deliver(service_url, b"[]", signed(b"[]")))
