"""How a service says that it cannot start: in words."""

import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.inbox_claim import InboxNotOpened


class StartInWords:
    """ASGI layer that tells the server why there is no inbox, without the traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def tell(message: Message) -> None:
            # Sent while the exception is handled, which the message shows as a whole
            problem = sys.exception()
            if "message" in message and isinstance(problem, InboxNotOpened):
                message["message"] = f"The service cannot start.\n{problem}"
            await send(message)

        await self._app(scope, receive, tell)
