"""What lives while the service runs: opened at the start, closed at the end."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from app import health
from app.auth.cache.verifier import open_cache
from app.auth.claims import TokenVerifier
from app.auth.verifier import open_verifier
from app.settings import Settings


@asynccontextmanager
async def open_services(
    settings: Settings, transport: httpx.AsyncBaseTransport | None, clock: Callable[[], float]
) -> AsyncIterator[tuple[dict[str, object], dict[str, health.Check]]]:
    """Yield the attributes of `request.state` and the readiness checks, each by name."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(open_verifier(settings, transport, clock))
        verifier: TokenVerifier = provider
        checks: dict[str, health.Check] = {"identity provider": provider.check}
        verifier = await stack.enter_async_context(open_cache(verifier, settings, clock))
        state: dict[str, object] = {"settings": settings, "clock": clock, "verifier": verifier}
        yield state, checks
