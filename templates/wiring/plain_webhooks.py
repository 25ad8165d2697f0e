"""What this service is put together from."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from app.auth.bearer import Authenticator
from app.auth.policy import Policy
from app.auth.verifier import ProviderSettings, ProviderVerifier, open_verifier
from app.deliveries import WebhookSettings
from app.handlers import handlers
from app.inbox import InboxSettings, open_inbox
from app.processing import Processing
from app.readiness import Readiness
from app.settings import Composition, PolicySettings, ServiceSettings
from app.users import Users
from app.webhooks import Receiver


class AppSettings(Composition):
    """All that the environment sets for this service."""

    service: ServiceSettings
    policy: PolicySettings
    provider: ProviderSettings
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
    processing = Processing(handlers(users), clock)
    async with (
        open_verifier(settings.provider, time_limit, transport, clock) as provider,
        open_inbox(settings.inbox, processing) as inbox,
    ):
        readiness = Readiness({"identity provider": provider.check, "inbox": inbox.check})
        authenticator = Authenticator(provider, policy, clock)
        receiver = Receiver(settings.webhooks, inbox, clock)
        yield Assembly(provider, authenticator, readiness, receiver, users)
