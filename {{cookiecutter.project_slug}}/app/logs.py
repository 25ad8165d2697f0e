"""Where the service writes what happens: one handler on standard error, one line a record."""

import logging
import logging.config


class LineFormatter(logging.Formatter):
    """Keeps a record on one line, so that nothing in it can pass for another record."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return line.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")


class WithoutQuery(logging.Filter):
    """Takes the query out of the server's access log: a token that was sent there would show."""

    def filter(self, record: logging.LogRecord) -> bool:
        # uvicorn's record: client, method, path with query, HTTP version, status
        if isinstance(record.args, tuple) and len(record.args) == 5:
            client, method, target, *rest = record.args
            path, mark, _ = str(target).partition("?")
            record.args = (client, method, path + mark, *rest)
        return True


def configure_logging(level: str) -> None:
    """Set up the logger `app` and mask the server's access log. May be called again."""
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
    access = logging.getLogger("uvicorn.access")
    if not any(isinstance(present, WithoutQuery) for present in access.filters):
        access.addFilter(WithoutQuery())
