"""Where the service writes what happens: one handler on standard error, one line a record."""

import logging
import logging.config


class LineFormatter(logging.Formatter):
    """Keeps a record on one line, so that nothing in it can pass for another record."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return line.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")


class WithoutQuery(logging.Filter):
    """Takes queries out of what the server logs: a token that was sent there would show."""

    def filter(self, record: logging.LogRecord) -> bool:
        # uvicorn hands a path over with its query: of a request among five, of a WebSocket's
        # handshake among two or three.
        if isinstance(record.args, tuple):
            record.args = tuple(
                "".join(value.partition("?")[:2]) if isinstance(value, str) else value
                for value in record.args
            )
        return True


def configure_logging(level: str) -> None:
    """Set up the logger `app` and mask the server's own. May be called again."""
    line = {"()": LineFormatter, "format": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    stderr = {"class": "logging.StreamHandler", "formatter": "line"}
    app = {"level": level, "handlers": ["stderr"], "propagate": False}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": line},
            "handlers": {"stderr": stderr},
            "loggers": {"app": app},
        }
    )
    for name in ("uvicorn.access", "uvicorn.error"):
        server = logging.getLogger(name)
        if not any(isinstance(present, WithoutQuery) for present in server.filters):
            server.addFilter(WithoutQuery())
