"""What the inbox's library says, in the service's own log, and nothing of an event in it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from app.processing import EventFailed


class WithoutEvents(logging.Filter):
    """Takes tracebacks out, which may show events, and what the service has logged already."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.exc_info, tuple):
            kind = record.exc_info[0]
            if kind is not None and issubclass(kind, EventFailed):
                return False
            record.msg = f"{record.getMessage()} ({kind.__name__ if kind else None})"
            record.args, record.exc_info = None, None
        # The first line says what is wrong, the others hold the statement.
        record.msg = record.getMessage().partition("\n")[0]
        record.args = None
        return True


@contextmanager
def library_log() -> Iterator[None]:
    """Have the library write to the handlers of the logger `app`, from WARNING on."""
    library = logging.getLogger("dbos")
    before = library.handlers, library.propagate
    library.handlers, library.propagate = list(logging.getLogger("app").handlers), False
    quiet = WithoutEvents()
    library.addFilter(quiet)
    try:
        yield
    finally:
        library.removeFilter(quiet)
        library.handlers, library.propagate = before
