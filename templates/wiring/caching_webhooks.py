"""What this service is put together from."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from app.auth.authority import authority
from app.auth.bearer import Authenticator
from app.auth.cache import MEMORY, CacheSettings, open_cache
from app.auth.policy import Policy
from app.auth.revocations import (
    RevocableVerifier,
    Revocations,
    RevocationSettings,
    open_revocations,
)
from app.auth.verifier import ProviderSettings, ProviderVerifier, open_verifier
from app.deliveries import WebhookSettings
from app.handlers import REVOKING, handlers, restore
from app.inbox import InboxSettings, open_inbox
from app.inbox_claim import SQLITE
from app.processing import Processing
from app.readiness import Readiness
from app.settings import Composition, PolicySettings, ServiceSettings
from app.users import Users
from app.webhooks import Receiver

logger = logging.getLogger("app.wiring")


class AppSettings(Composition):
    """All that the environment sets for this service."""

    service: ServiceSettings
    policy: PolicySettings
    provider: ProviderSettings
    cache: CacheSettings
    revocations: RevocationSettings
    webhooks: WebhookSettings
    inbox: InboxSettings


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts of the running service that requests come across."""

    provider: ProviderVerifier
    authenticator: Authenticator
    readiness: Readiness
    receiver: Receiver
    users: Users
    revocations: Revocations


@asynccontextmanager
async def assemble(
    settings: AppSettings,
    transport: httpx.AsyncBaseTransport | None,
    clock: Callable[[], float],
) -> AsyncIterator[Assembly]:
    """Open what the service needs while it lives, and close it again.

    `transport` replaces the network, `clock` (seconds since 1970) the time: tests give both.
    """
    policy = Policy(
        issuer=settings.provider.issuer,
        audience=settings.policy.audience,
        client_ids=settings.policy.allowed_client_ids,
        leeway=settings.policy.clock_leeway,
    )
    time_limit = settings.service.idp_timeout
    users = Users()
    async with (
        open_verifier(settings.provider, time_limit, transport, clock) as provider,
        open_cache(
            provider, settings.cache, authority(settings.provider), time_limit, clock
        ) as cache,
        open_revocations(cache, settings.revocations, clock) as revocations,
        open_inbox(
            settings.inbox, Processing(handlers(users, revocations), clock), REVOKING
        ) as inbox,
    ):
        # Before the first request: what was revoked before a restart stays revoked.
        await restore(inbox.lasting(settings.revocations.ttl), revocations, clock())
        warn_of_processes_apart(settings)
        readiness = Readiness({"identity provider": provider.check, "inbox": inbox.check})
        authenticator = Authenticator(RevocableVerifier(cache, revocations), policy, clock)
        receiver = Receiver(settings.webhooks, inbox, clock)
        yield Assembly(provider, authenticator, readiness, receiver, users, revocations)


def warn_of_processes_apart(settings: AppSettings) -> None:
    """Say when replicas share events and nothing else."""
    shares_events = not settings.inbox.database_url.get_secret_value().startswith(SQLITE)
    if shares_events and settings.cache.url.get_secret_value() == MEMORY:
        logger.warning(
            "a revocation reaches one process only: set CACHE_URL to a Redis for all replicas"
        )
