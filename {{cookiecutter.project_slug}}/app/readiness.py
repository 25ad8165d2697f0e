"""Whether the service can do its work: its answer to an orchestrator's readiness probe."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from app.auth.errors import ProviderUnavailable

logger = logging.getLogger("app.readiness")

BOUND = 1.0
"""Seconds for all checks together: a probe has to answer before the prober gives up."""
MEMORY = 3.0
"""Seconds an outcome is remembered, so that probing cannot be used to load the provider."""


class Readiness:
    """Calls each of `checks` (name to function), which raises something if not ready."""

    def __init__(
        self,
        checks: Mapping[str, Callable[[], Awaitable[None]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checks = checks
        self._clock = clock
        self._asking = asyncio.Lock()
        self._missing: list[str] = []
        self._until = float("-inf")

    async def missing(self) -> list[str]:
        """Return the names of the checks that fail, and what they lack. Empty means ready."""
        async with self._asking:  # whoever comes meanwhile gets the outcome of this round
            if self._clock() >= self._until:
                outcomes = await asyncio.gather(*map(self._lacks, self._checks))
                self._missing = [name for outcome in outcomes for name in outcome]
                self._until = self._clock() + MEMORY
            return self._missing

    async def _lacks(self, name: str) -> list[str]:
        reason, lacks = "timeout", None
        try:
            async with asyncio.timeout(BOUND):
                await self._checks[name]()
            return []
        except TimeoutError:
            pass
        except ProviderUnavailable as error:
            reason, lacks = error.reason, error.lacks
        # Whatever a check raises, the service is not ready.
        except Exception as error:  # noqa: BLE001
            reason = type(error).__name__
        logger.warning("not ready missing=%r reason=%s", name, reason)
        return [name] if lacks is None else [name, lacks]
