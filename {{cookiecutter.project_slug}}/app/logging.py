"""Logs on standard error: a JSON object a line, or text for a terminal.

Code logs by the standard library, with its values in `extra=`. structlog formats the records.
"""

import logging
import re
import sys

from opentelemetry import trace
from structlog import dev, processors, stdlib
from structlog.typing import EventDict, Processor, WrappedLogger

from app.request_log import request_id

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure_logging(level: str, log_format: str) -> None:
    """Send the records of the service and of its server through one handler. May be called again.

    `log_format` is `json`, `console`, or `auto`: `console` on a terminal, else `json`.
    """
    is_terminal = sys.stderr.isatty()
    rendering: list[Processor] = [
        processors.format_exc_info,
        name_message,
        processors.JSONRenderer(),
    ]
    if log_format == "console" or (log_format == "auto" and is_terminal):
        rendering = [escape_controls, dev.ConsoleRenderer(colors=is_terminal)]
    handler = logging.StreamHandler()
    handler.addFilter(has_no_query)
    handler.setFormatter(
        stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                add_request_id,
                stdlib.ExtraAdder(),
                stdlib.add_log_level,
                stdlib.add_logger_name,
                processors.TimeStamper(fmt="iso"),
                add_span,
            ],
            processors=[stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    for known in root.handlers[:]:
        if isinstance(known.formatter, stdlib.ProcessorFormatter):
            root.removeHandler(known)
    root.addHandler(handler)
    for name in ("app", "uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.handlers = []
        logger.propagate = name != "uvicorn.access"  # `app.access` has a line for each request


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


def name_message(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Call the text `message`, and put what all records have first."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "logger")}
    event.pop("color_message", None)  # uvicorn's own
    return {**first, "message": event.pop("event"), **event}


def escape_controls(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keep a text on one line, so that no part of it can pass for another record."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = CONTROLS.sub(lambda found: repr(found[0])[1:-1], value)
    return event


def has_no_query(record: logging.LogRecord) -> bool:
    """Tell whether a record may be shown: the server logs WebSockets with their query."""
    return not (record.name == "uvicorn.error" and "WebSocket" in str(record.msg))
