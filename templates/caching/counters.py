"""How well remembering works: numbers for the log, without tokens and without people."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass

logger = logging.getLogger("app.auth.cache")

INTERVAL = 300.0
"""Seconds from one line to the next."""


@dataclass(slots=True)
class Counters:
    """What requests came to, since the start."""

    hits: int = 0
    """Answered with what was remembered."""
    misses: int = 0
    """The provider was asked."""
    negative_hits: int = 0
    """Refused with what was remembered."""
    coalesced: int = 0
    """Waited for a question that was under way."""
    bypassed: int = 0
    """The provider was asked whatever was remembered."""
    store_errors: int = 0
    """The store did not answer, or not in time."""
    evictions: int = 0
    """Answers that made room for others before their time."""


def report(counters: Counters, size: int | None) -> None:
    """Write the counters and the number of remembered answers, where that is known, to the log."""
    numbers = asdict(counters) | {"size": "-" if size is None else size}
    logger.info("cache %s", " ".join(f"{name}={number}" for name, number in numbers.items()))


async def report_regularly(
    counters: Counters, size: Callable[[], int | None], interval: float = INTERVAL
) -> None:
    """Report every `interval` seconds until cancelled."""
    while True:
        await asyncio.sleep(interval)
        report(counters, size())
