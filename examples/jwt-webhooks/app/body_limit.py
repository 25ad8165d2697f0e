"""How much a caller may send."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI layer that refuses to read a body of more than `max_bytes`."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            receive = limited(scope, receive, self._max_bytes)
        await self._app(scope, receive, send)


def limited(scope: Scope, receive: Receive, max_bytes: int) -> Receive:
    """Return `receive`, which refuses a body of more than `max_bytes`, declared or streamed."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        length = Headers(scope=scope).get("content-length", "")
        declared = int(length[:20]) if length.isdecimal() else 0
        if max(declared, received) > max_bytes:
            # The connection is closed: what is still sent would be read as the next request.
            raise HTTPException(413, "Payload too large", headers={"Connection": "close"})
        return message

    return counted
