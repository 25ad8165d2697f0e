"""What lives while the service runs: opened at the start, closed at the end."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from app import health
from app.auth.claims import TokenVerifier
from app.auth.revocations import RevocableVerifier
from app.auth.verifier import open_verifier
from app.settings import Settings
from app.webhooks import inbox
from app.webhooks.database import open_database
from app.webhooks.handlers import HANDLERS
from app.webhooks.revocation_feed import REVOKING, RevocationFeed, purge_expired
from app.webhooks.worker import Worker


@asynccontextmanager
async def open_services(
    settings: Settings, transport: httpx.AsyncBaseTransport | None, clock: Callable[[], float]
) -> AsyncIterator[tuple[dict[str, object], dict[str, health.Check]]]:
    """Yield the attributes of `request.state` and the readiness checks, each by name."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(open_verifier(settings, transport, clock))
        verifier: TokenVerifier = provider
        checks: dict[str, health.Check] = {"identity provider": provider.check}
        engine = await stack.enter_async_context(open_database(settings.inbox_database_url))
        worker = await stack.enter_async_context(Worker(engine, {**REVOKING, **HANDLERS}))
        verifier = revocable = RevocableVerifier(verifier, settings.revocation_ttl, clock)
        feed = RevocationFeed(worker, revocable)
        # Before the first request, as a restart must not forget a revocation
        await feed.poll()
        worker.repeat(1.0, "poll of revocations", feed.poll)
        days, ttl = settings.inbox_retention_days, settings.revocation_ttl
        worker.repeat(60.0, "purge", lambda: purge_expired(engine, days, inbox.DONE, ttl))
        checks["inbox"] = worker.check
        state: dict[str, object] = {"settings": settings, "clock": clock, "verifier": verifier}
        state["accept"] = feed.accept
        yield state, checks
