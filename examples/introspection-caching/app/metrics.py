"""What the service counts, for Prometheus. The names are listed in the README."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

from prometheus_client import Counter, Histogram, start_http_server

logger = logging.getLogger("app.metrics")

REQUESTS = Counter("http_requests", "Requests by route", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("http_request_duration_seconds", "Time to respond", ["method", "route"])
REFUSED = Counter("auth_refusals", "Refused requests by reason", ["reason"])
PROVIDER_CALLS = Counter("provider_calls", "Calls to the identity provider", ["outcome"])
PROVIDER_SECONDS = Histogram("provider_call_duration_seconds", "Time of a call to the provider")


@lru_cache  # to look them up at each request took 3 % of its time
def series_of(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """Return where requests of a kind are counted."""
    return REQUESTS.labels(method, route, status), REQUEST_SECONDS.labels(method, route)


class ProviderCall:
    """Counts the call that a `with` block makes, by `ok` or the reason of its failure."""

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        PROVIDER_SECONDS.observe(time.perf_counter() - self._started)
        if not isinstance(error, asyncio.CancelledError):
            PROVIDER_CALLS.labels(getattr(error, "reason", "error") if error else "ok").inc()


@asynccontextmanager
async def serve_metrics(port: int | None) -> AsyncIterator[None]:
    """Serve the metrics on a port of their own, so that they are not public by accident.

    Serves none without a port, or if another process of this machine has it.
    """
    try:
        server = start_http_server(port)[0] if port else None
    except OSError as error:
        logger.warning("no metrics are served port=%d reason=%s", port, error.strerror)
        server = None
    yield
    if server is not None:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
