"""Where the platform sends its events."""

from fastapi import FastAPI, Request
from pydantic import BaseModel

from app.deliveries import HEADERS, PATH
from app.startup import StartInWords
from app.webhook_errors import REFUSALS
from app.webhooks import Receiver


class Received(BaseModel):
    """The event is stored, was stored before, or is of no interest."""

    received: bool = True


_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
_JSON = {"schema": _OBJECT}
_BODY = {"application/json": _JSON}
# The body is verified as it came, byte for byte, so the framework must not read it.
DESCRIPTION = {
    "requestBody": {"required": True, "content": _BODY},
    "parameters": [
        {"name": name, "in": "header", "description": text, "schema": _TEXT}
        for name, text in HEADERS.items()
    ],
}


async def receive(request: Request) -> Received:
    """Take an event. Its handler runs after the answer."""
    receiver: Receiver = request.app.state.receiver
    await receiver.receive(request)
    return Received()


def add_routes(app: FastAPI) -> None:
    """Add the route of webhooks to `app`, and words for a start without an inbox."""
    app.add_api_route(
        PATH,
        receive,
        methods=["POST"],
        tags=["webhooks"],
        responses=REFUSALS,
        openapi_extra=DESCRIPTION,
    )
    app.add_middleware(StartInWords)
