"""What an orchestrator calls: liveness and readiness. Neither needs a token."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from app.auth.errors import AuthError

logger = logging.getLogger("app.health")
router = APIRouter(prefix="/health", tags=["health"])

TIME_LIMIT = 1.0  # seconds for all checks together: a probe must get its response in time
TTL = 3.0  # seconds that an outcome is kept, so that probes cannot overload the provider
NOT_READY = {"description": "Something is missing"}

Check = Callable[[], Awaitable[None]]  # raises something if the service is not ready


class Readiness:
    """Runs the checks, by their names. `clock` in seconds."""

    def __init__(
        self, checks: Mapping[str, Check], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._checks = checks
        self._clock = clock
        self._running = asyncio.Lock()
        self._missing: list[str] = []
        self._expires_at = float("-inf")

    async def missing(self) -> list[str]:
        """Return the names of the checks that fail."""
        async with self._running:  # concurrent probes share one outcome
            if self._clock() >= self._expires_at:
                outcomes = await asyncio.gather(*map(self._missing_of, self._checks))
                self._missing = [name for missing in outcomes for name in missing]
                self._expires_at = self._clock() + TTL
            return self._missing

    async def _missing_of(self, name: str) -> list[str]:
        try:
            async with asyncio.timeout(TIME_LIMIT):
                await self._checks[name]()
        # Whatever a check raises, the service is not ready. What it waits for may be cancelled.
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
            reason = error.reason if isinstance(error, AuthError) else type(error).__name__
            logger.warning("not ready missing=%r reason=%s", name, reason)
            return [name]
        return []


@router.get("/live")
async def live() -> dict[str, str]:
    """Tell that the process runs. Makes no call."""
    return {"status": "ok"}


@router.get("/ready", responses={503: NOT_READY})
async def ready(request: Request) -> JSONResponse:
    """Tell whether the service can do its work, within a second."""
    readiness: Readiness = request.state.readiness
    if missing := await readiness.missing():
        return JSONResponse({"status": "unavailable", "missing": missing}, status_code=503)
    return JSONResponse({"status": "ok"})
