"""How much a caller may send."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The connection is closed: what the caller still sends would be read as the next request.
CLOSE = {"Connection": "close"}


class BodyLimit:
    """ASGI layer that refuses to read a body of more than `max_bytes`, declared or streamed."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared, received = declared_length(scope), 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if max(declared, received) > self._max_bytes:
                raise HTTPException(413, "Payload too large", headers=CLOSE)
            return message

        await self._app(scope, counted, send)


def declared_length(scope: Scope) -> int:
    """Return the bytes that a request announces, or 0 where it says nothing that is a number."""
    length = Headers(scope=scope).get("content-length", "")
    return int(length[:20]) if length.isdecimal() else 0
