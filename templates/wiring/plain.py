"""What this service is put together from."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx

from app.auth.bearer import Authenticator
from app.auth.policy import Policy
from app.auth.verifier import ProviderSettings, open_verifier
from app.http import open_client
from app.readiness import Readiness
from app.settings import Composition, PolicySettings, ServiceSettings


class AppSettings(Composition):
    """All that the environment sets for this service."""

    service: ServiceSettings
    policy: PolicySettings
    provider: ProviderSettings


@asynccontextmanager
async def assemble(
    settings: AppSettings,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[tuple[Authenticator, Readiness]]:
    """Open what the service needs while it lives, and close it again.

    `transport` replaces the network, `clock` (seconds since 1970) the time: tests give both.
    """
    policy = Policy(
        issuer=settings.provider.issuer,
        audience=settings.policy.audience,
        client_ids=settings.policy.allowed_client_ids,
        leeway=settings.policy.clock_leeway,
    )
    async with (
        open_client(settings.service.idp_timeout, transport) as client,
        open_verifier(settings.provider, client, clock) as verifier,
    ):
        readiness = Readiness({"identity provider": verifier.check})
        yield Authenticator(verifier, policy, clock), readiness
