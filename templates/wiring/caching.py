"""What this service is put together from."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from app.auth.authority import authority
from app.auth.bearer import Authenticator
from app.auth.cache import CacheSettings, open_cache
from app.auth.policy import Policy
from app.auth.verifier import ProviderSettings, ProviderVerifier, open_verifier
from app.readiness import Readiness
from app.settings import Composition, PolicySettings, ServiceSettings


class AppSettings(Composition):
    """All that the environment sets for this service."""

    service: ServiceSettings
    policy: PolicySettings
    provider: ProviderSettings
    cache: CacheSettings


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts of the running service that requests come across."""

    provider: ProviderVerifier
    authenticator: Authenticator
    readiness: Readiness


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
    async with (
        open_verifier(settings.provider, time_limit, transport, clock) as provider,
        open_cache(
            provider, settings.cache, authority(settings.provider), time_limit, clock
        ) as remembering,
    ):
        readiness = Readiness({"identity provider": provider.check})
        yield Assembly(provider, Authenticator(remembering, policy, clock), readiness)
