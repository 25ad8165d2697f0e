"""Events of the platform, signed with the secret of the service that `make run` starts."""

import argparse
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping

from app.webhooks.signature import PATH, SIGNATURE, TIMESTAMP
from dev.environment import service_settings
from dev.processes import post

SECRET = service_settings()["WEBHOOK_SECRETS"]


def event(
    event_type: str,
    subject: str | None = None,
    data: Mapping[str, object] | None = None,
    event_id: str | None = None,
) -> bytes:
    """Return the body of an event. Without an `event_id` it gets a new one."""
    about = {} if subject is None else {"user_id": subject}
    document = {
        "id": event_id or f"evt_{uuid.uuid4().hex}",
        "type": event_type,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "data": {**about, **(data or {})},
    }
    return json.dumps(document).encode()


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """Return the headers of a delivery that is sent now, or `at` (seconds since 1970)."""
    timestamp = str(int(time.time() if at is None else at))
    message = timestamp.encode() + b"." + body
    signature = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return {SIGNATURE: signature, TIMESTAMP: timestamp}


def add_send(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `send`."""
    command = commands.add_parser("send", help="sign an event and send it to the running service")
    command.add_argument("type", help="such as user.deleted")
    command.add_argument("--subject", help="the user that it is about")
    command.add_argument("--data", type=json_object, help="a JSON object")
    command.add_argument("--id", help="to send a duplicate; default: a new one")
    command.add_argument("--secret", default=SECRET, help="one of the service's WEBHOOK_SECRETS")
    command.add_argument("--port", type=int, default=8000, help="of the service")
    command.set_defaults(command=send)


def json_object(text: str) -> dict[str, object]:
    """Parse a JSON object. Raises `ValueError`."""
    document: object = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def send(options: argparse.Namespace) -> None:
    """Send an event to the running service and print it. Raises `Failed`."""
    body = event(options.type, options.subject, options.data, options.id)
    headers = {"Content-Type": "application/json", **signed(body, options.secret)}
    post(options.port, PATH, content=body, headers=headers)
    print(body.decode())
