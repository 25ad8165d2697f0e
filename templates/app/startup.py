"""How the service reports that it cannot start."""

import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.database import DatabaseNotOpened


class StartInWords:
    """ASGI middleware that reports why the database cannot be opened, without a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def tell(message: Message) -> None:
            # The message, sent while the exception is handled, is its traceback.
            problem = sys.exception()
            if "message" in message and isinstance(problem, DatabaseNotOpened):
                message["message"] = f"The service cannot start.\n{problem}"
            await send(message)

        await self._app(scope, receive, tell)
