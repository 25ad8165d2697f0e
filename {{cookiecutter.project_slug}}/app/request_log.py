"""Every request: its id, its line in the log, its place in the metrics."""

import logging
import re
import secrets
import time
from contextvars import ContextVar
from http import HTTPMethod

from opentelemetry import trace
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics import REQUEST_SECONDS, REQUESTS

logger = logging.getLogger("app.access")

request_id: ContextVar[str] = ContextVar("request_id")
"""The id of the request at hand, which every log line has."""


class RequestLog:
    """ASGI layer around all others: each response has `X-Request-ID`, each request a log line."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, sent_id = time.perf_counter(), 0, id_of(scope)
        request_id.set(sent_id)
        if scope["query_string"]:
            # FastAPI's span has it by now, and it may hold a token.
            trace.get_current_span().set_attribute("url.query", "REDACTED")

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", sent_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            # Starlette's response to it would not pass here.
            if status == 0:
                response = PlainTextResponse("Internal Server Error", status_code=500)
                await response(scope, receive, send_with_id)
            raise
        finally:
            report(scope, status, time.perf_counter() - started)


def id_of(scope: Scope) -> str:
    """Return the id that a proxy or a caller sent, if it is a plain one, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and re.fullmatch(rb"[A-Za-z0-9._-]{1,128}", value):
            return str(value, "ascii")
    return secrets.token_hex(16)


def route_of(scope: Scope) -> str:
    """Return the path of the route, such as `/widgets/{widget_id}`."""
    # The route of a nested router lacks the prefix. FastAPI keeps the whole path beside it.
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    path: str = getattr(route, "path", "unmatched")
    return path


def report(scope: Scope, status: int, seconds: float) -> None:
    """Count a request and log it, without its query and without its real path."""
    method = scope["method"] if scope["method"] in HTTPMethod.__members__ else "other"
    route = route_of(scope)
    REQUESTS.labels(method, route, status).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)
    fields = {"method": method, "route": route, "status": status}
    fields["duration_ms"] = round(seconds * 1000, 1)
    if client_id := scope.get("state", {}).get("client_id"):
        fields["client_id"] = client_id
    logger.info("request", extra=fields)
