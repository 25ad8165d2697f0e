"""What lives while the service runs: opened at the start, closed at the end."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass  # {%- if cookiecutter.include_webhooks +%}
from functools import partial  # {%- endif +%}

import httpx

from app.about import read_about
from app.auth.bearer import Authenticator  # {%- if cookiecutter.include_caching +%}
from app.auth.cache.identity import cache_identity
from app.auth.cache.settings import CacheSettings
from app.auth.cache.verifier import open_cache  # {%- endif +%}
from app.auth.claims import TokenVerifier
from app.auth.metadata import metadata_url
from app.auth.policy import Policy  # {%- if cookiecutter.__revocations +%}
from app.auth.revocations import RevocableVerifier, Revocations  # {%- endif +%}
from app.auth.verifier import (
    ProviderSettings,
    ProviderVerifier,
    open_verifier,
)  # {%- if cookiecutter.include_webhooks +%}
from app.background import repeating
from app.database import open_database  # {%- endif +%}
from app.readiness import Readiness  # {%- if cookiecutter.__revocations +%}
from app.revocation_feed import RevocationFeed, with_revocations  # {%- endif +%}
from app.settings import (
    Composition,
    # {% if cookiecutter.include_webhooks %}
    InboxSettings,
    # {% endif %}
    PolicySettings,
    # {% if cookiecutter.__revocations %}
    RevocationSettings,
    # {% endif %}
    ServiceSettings,
    # {% if cookiecutter.include_webhooks %}
    WebhookSettings,
    # {% endif %}
)  # {%- if cookiecutter.include_webhooks +%}
from app.webhooks.handlers import HANDLERS
from app.webhooks.inbox import Inbox
from app.webhooks.retention import purge
from app.webhooks.router import Receiver
from app.webhooks.worker import run_worker  # {%- endif +%}


class AppSettings(Composition):
    """All that the environment sets for this service."""

    service: ServiceSettings
    policy: PolicySettings
    provider: ProviderSettings
    # {% if cookiecutter.include_caching %}
    cache: CacheSettings
    # {% endif %}
    # {% if cookiecutter.include_webhooks %}
    # {% if cookiecutter.__revocations %}
    revocations: RevocationSettings
    # {% endif %}
    webhooks: WebhookSettings
    inbox: InboxSettings
    # {% endif %}


@dataclass(frozen=True, slots=True)
class Services:
    """What requests use. Each is an attribute of `request.state`."""

    provider: ProviderVerifier
    authenticator: Authenticator
    readiness: Readiness
    # {% if cookiecutter.include_webhooks %}
    receiver: Receiver
    # {% endif %}


@asynccontextmanager
async def open_services(
    settings: AppSettings,
    transport: httpx.AsyncBaseTransport | None,
    clock: Callable[[], float],
) -> AsyncIterator[Services]:
    """Open the services while the block lasts.

    Tests replace the network by `transport` and the time by `clock` (seconds since 1970).
    """
    policy = Policy(
        issuer=settings.provider.issuer,
        audience=settings.policy.audience,
        client_ids=settings.policy.allowed_client_ids,
        leeway=settings.policy.clock_leeway,
    )
    time_limit = settings.service.idp_timeout
    resource = settings.service.resource_url
    challenge_url = metadata_url(resource) if resource else None
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(
            open_verifier(settings.provider, time_limit, transport, clock)
        )
        verifier: TokenVerifier = provider
        checks = {"identity provider": provider.check}
        # {% if cookiecutter.include_caching %}
        identity = cache_identity(settings.provider)
        verifier = await stack.enter_async_context(
            open_cache(verifier, settings.cache, identity, time_limit, clock)
        )
        # {% endif %}
        # {% if cookiecutter.include_webhooks %}
        address = settings.inbox.database_url.get_secret_value()
        database = await stack.enter_async_context(open_database(address, clock))
        inbox = Inbox(database)
        checks["inbox"] = inbox.check
        max_age = settings.inbox.retention_days * 86_400.0
        # {% if cookiecutter.__revocations %}
        revocations = Revocations(settings.revocations.ttl, clock)
        feed = RevocationFeed(database, revocations)
        # Before the first request, as a restart must not forget a revocation
        await feed.poll()
        inbox.on_stored.append(feed.apply)
        await stack.enter_async_context(repeating(1.0, "poll of revocations", feed.poll))
        verifier = RevocableVerifier(verifier, revocations)
        handlers = with_revocations(HANDLERS)
        delete_old = partial(purge, database, "done", max_age, settings.revocations.ttl)
        # {% else %}
        handlers = HANDLERS
        delete_old = partial(purge, database, "done", max_age)
        # {% endif %}
        await stack.enter_async_context(repeating(60.0, "purge", delete_old))
        await stack.enter_async_context(run_worker(inbox, handlers))
        # {% endif %}
        yield Services(
            provider=provider,
            authenticator=Authenticator(verifier, policy, read_about().realm, challenge_url, clock),
            readiness=Readiness(checks),
            # {% if cookiecutter.include_webhooks %}
            receiver=Receiver(settings.webhooks, inbox, handlers, clock),
            # {% endif %}
        )
