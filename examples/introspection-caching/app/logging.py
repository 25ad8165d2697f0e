"""Logs on standard error, a JSON object a line or text for a terminal, and a line per request.

Code logs by the standard library, with its values in `extra=`. structlog formats the records.
"""

import logging
import re
import secrets
import sys
import time
from contextvars import ContextVar
from http import HTTPMethod

from opentelemetry import trace
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog import dev, processors, stdlib
from structlog.typing import EventDict, Processor, WrappedLogger

from app.metrics import series_of

access_logger = logging.getLogger("app.access")

request_id: ContextVar[str] = ContextVar("request_id")  # each log line has that of its request
METHODS = frozenset(HTTPMethod)
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure_logging(level: str, log_format: str) -> None:
    """Send the records of the service and of its server through one handler. May be called again.

    `log_format` is `json`, `console`, or `auto`: `console` on a terminal, else `json`.
    """
    is_terminal = sys.stderr.isatty()
    render: list[Processor] = [processors.format_exc_info, order_fields, processors.JSONRenderer()]
    if log_format == "console" or (log_format == "auto" and is_terminal):
        render = [escape_controls, dev.ConsoleRenderer(colors=is_terminal, event_key="message")]
    handler = logging.StreamHandler()
    handler.addFilter(is_not_about_websockets)
    handler.setFormatter(
        stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                processors.EventRenamer("message"),  # `extra=` may have an `event` of its own
                add_request_id,
                stdlib.ExtraAdder(),
                stdlib.add_log_level,
                stdlib.add_logger_name,
                processors.TimeStamper(fmt="iso"),
                add_span,
            ],
            processors=[stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    for known in root.handlers[:]:
        if isinstance(known.formatter, stdlib.ProcessorFormatter):
            root.removeHandler(known)
    root.addHandler(handler)
    logging.getLogger("app").setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        server = logging.getLogger(name)
        server.handlers = []
        server.propagate = name != "uvicorn.access"  # `app.access` has a line for each request


def add_request_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Add the id of the request at hand."""
    if (known := request_id.get(None)) is not None:
        event["request_id"] = known
    return event


def add_span(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Add the ids of the span, if the request is traced."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
        event["span_id"] = trace.format_span_id(span.span_id)
    return event


def order_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Put what all records have first, without what is uvicorn's own."""
    event.pop("color_message", None)
    first = {name: event.pop(name) for name in ("timestamp", "level", "logger", "message")}
    return {**first, **event}


def escape_controls(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keep a text on one line, so that no part of it can pass for another record."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = CONTROLS.sub(lambda found: repr(found[0])[1:-1], value)
    return event


def is_not_about_websockets(record: logging.LogRecord) -> bool:
    """Leave out the lines of the server about WebSockets: they contain the query."""
    return not (record.name == "uvicorn.error" and "WebSocket" in str(record.msg))


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
    return str(getattr(route, "path", "unmatched"))


def report(scope: Scope, status: int, seconds: float) -> None:
    """Count a request and log it, without its query and without its real path."""
    method = scope["method"] if scope["method"] in METHODS else "other"
    route = route_of(scope)
    requests, request_seconds = series_of(method, route, status)
    requests.inc()
    request_seconds.observe(seconds)
    if access_logger.isEnabledFor(logging.INFO):
        fields = {"method": method, "route": route, "status": status}
        fields["duration_ms"] = round(seconds * 1000, 1)
        if client_id := scope.get("state", {}).get("client_id"):
            fields["client_id"] = client_id
        access_logger.info("request", extra=fields)
