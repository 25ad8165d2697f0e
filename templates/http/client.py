"""The one client that talks to the identity provider.

Its calls are bounded (`wire`). Whatever goes wrong on the way, the caller of this module sees
`ProviderUnavailable` and nothing else.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from app.auth.errors import ProviderUnavailable
from app.wire import MAX_CALLS, Endpoint, NoAnswer, Wire, network, retry_after

__all__ = ["MAX_CALLS", "Answer", "Endpoint", "ProviderClient", "check_status", "open_client"]

logger = logging.getLogger("app.http")


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer of the provider, read within the limits."""

    status: int
    body: bytes
    retry_after: str | None


@asynccontextmanager
async def open_client(
    time_limit: float, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator["ProviderClient"]:
    """Open the client for the life of the service. `time_limit` in seconds, for one call in all.

    `transport` replaces the network in tests.
    """
    async with transport or network() as wire:
        yield ProviderClient(wire, time_limit)


class ProviderClient:
    """Calls the identity provider: `time_limit` seconds for a call, its retry and its wait."""

    def __init__(self, transport: httpx.AsyncBaseTransport, time_limit: float) -> None:
        self._wire = Wire(transport, time_limit)

    async def send(self, request: httpx.Request) -> Answer:
        """Send `request` and return the whole answer, whatever its status.

        Raises `ProviderUnavailable` when there is none in time, or none that can be read.
        """
        try:
            reply = await self._wire.send(request)
        except NoAnswer as failure:
            if failure.error is not None:
                logger.warning("identity provider failed error=%s", failure.error)
            raise ProviderUnavailable(failure.reason) from None
        return Answer(reply.status, reply.body, reply.headers.get("retry-after"))


def check_status(answer: Answer, now: Callable[[], float]) -> None:
    """Raise `ProviderUnavailable` unless the answer is a 200. `now` in seconds since 1970."""
    if answer.status == 200:
        return
    if answer.status in (401, 403):
        # Our own credentials: never the caller's fault, and nothing mends it but a person.
        logger.error("identity provider refuses this service status=%d", answer.status)
        raise ProviderUnavailable("own_credentials", lacks="credentials that it accepts")
    if answer.status == 429:
        raise ProviderUnavailable("rate_limit", retry_after(answer.retry_after, now()))
    raise ProviderUnavailable(f"status_{answer.status}")
