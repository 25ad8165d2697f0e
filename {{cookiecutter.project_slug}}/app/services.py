"""What lives while the service runs: opened at the start, closed at the end."""

from collections.abc import AsyncIterator, Callable
from contextlib import (
    AsyncExitStack,
    asynccontextmanager,
)  # {%- if cookiecutter.include_webhooks +%}
from functools import partial  # {%- endif +%}

import httpx

from app import health  # {%- if cookiecutter.include_caching +%}
from app.auth.cache.identity import cache_identity
from app.auth.cache.verifier import open_cache  # {%- endif +%}
from app.auth.claims import TokenVerifier
from app.auth.policy import Policy  # {%- if cookiecutter.__revocations +%}
from app.auth.revocations import RevocableVerifier, Revocations  # {%- endif +%}
from app.auth.verifier import open_verifier  # {%- if cookiecutter.include_webhooks +%}
from app.background import repeating
from app.database import open_database  # {%- if cookiecutter.__revocations +%}
from app.revocation_feed import RevocationFeed, with_revocations  # {%- endif %} # {%- endif +%}
from app.settings import Settings  # {%- if cookiecutter.include_webhooks +%}
from app.webhooks.handlers import HANDLERS
from app.webhooks.inbox import Inbox
from app.webhooks.retention import purge
from app.webhooks.router import Receiver
from app.webhooks.worker import run_worker  # {%- endif +%}


@asynccontextmanager
async def open_services(
    settings: Settings, transport: httpx.AsyncBaseTransport | None, clock: Callable[[], float]
) -> AsyncIterator[tuple[dict[str, object], dict[str, health.Check]]]:
    """Open what requests find in `request.state`, by name, and the readiness checks, by name.

    Tests replace the network by `transport` and the time by `clock` (seconds since 1970).
    """
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(open_verifier(settings, transport, clock))
        verifier: TokenVerifier = provider
        policy = Policy(
            issuer=settings.issuer,
            audience=settings.audience,
            client_ids=settings.allowed_client_ids,
            leeway=settings.clock_leeway,
        )
        state = {"settings": settings, "provider": provider, "policy": policy, "clock": clock}
        checks: dict[str, health.Check] = {"identity provider": provider.check}
        # {% if cookiecutter.include_caching %}
        identity = cache_identity(settings)
        verifier = await stack.enter_async_context(
            open_cache(verifier, settings, identity, settings.idp_timeout, clock)
        )
        # {% endif %}
        # {% if cookiecutter.include_webhooks %}
        address = settings.inbox_database_url.get_secret_value()
        database = await stack.enter_async_context(open_database(address, clock))
        inbox = Inbox(database)
        checks["inbox"] = inbox.check
        max_age = settings.inbox_retention_days * 86_400.0
        # {% if cookiecutter.__revocations %}
        revocations = Revocations(settings.revocation_ttl, clock)
        feed = RevocationFeed(database, revocations)
        # Before the first request, as a restart must not forget a revocation
        await feed.poll()
        inbox.on_stored.append(feed.apply)
        await stack.enter_async_context(repeating(1.0, "poll of revocations", feed.poll))
        verifier = RevocableVerifier(verifier, revocations)
        handlers = with_revocations(HANDLERS)
        delete_old = partial(purge, database, "done", max_age, settings.revocation_ttl)
        # {% else %}
        handlers = HANDLERS
        delete_old = partial(purge, database, "done", max_age)
        # {% endif %}
        await stack.enter_async_context(repeating(60.0, "purge", delete_old))
        await stack.enter_async_context(run_worker(inbox, handlers))
        state["receiver"] = Receiver(settings, inbox, handlers, clock)
        # {% endif %}
        state["verifier"] = verifier
        yield state, checks
