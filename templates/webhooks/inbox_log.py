"""What the inbox's library says, in the service's own log, and nothing of an event in it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from app.processing import EventFailed


class WithoutEvents(logging.Filter):
    """Takes tracebacks out, which may show events, and what the service has logged already."""

    def filter(self, record: logging.LogRecord) -> bool:
        # At the end of the service, for each event that goes on after its next start.
        if str(record.msg).startswith("Asyncio task cancelled"):
            return False
        if isinstance(record.exc_info, tuple):
            kind = record.exc_info[0]
            if kind is not None and issubclass(kind, EventFailed):
                return False
            record.exc_info = None
        # The first line says what is wrong, the others hold the statement.
        record.msg, record.args = record.getMessage().partition("\n")[0], None
        return True


class IntoLog(logging.Handler):
    """Hands records on to the logger `app`."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger("app").handle(record)


@contextmanager
def library_log() -> Iterator[None]:
    """Have the library write into the service's log while the block lasts."""
    library = logging.getLogger("dbos")
    before = library.handlers, library.propagate
    library.handlers, library.propagate = [IntoLog()], False
    quiet = WithoutEvents()
    library.addFilter(quiet)
    try:
        yield
    finally:
        library.removeFilter(quiet)
        library.handlers, library.propagate = before
