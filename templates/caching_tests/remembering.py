"""A verifier whose answers a test decides, and the memory in front of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from starlette.testclient import TestClient

from app.auth.answers import MemoryStore, Store
from app.auth.cache import CachedVerifier
from app.auth.claims import Claims
from app.auth.counters import Counters
from app.auth.errors import AuthError, InvalidToken
from app.settings import CacheSettings, Settings
from dev.provider import Provider
from tests.callers import NOW, Clock
from tests.conftest import read_settings

AUTHORITY = ("https://provider.example",)


@dataclass
class Source:
    """Says about a token what `says` holds, else that it is not active, and counts."""

    says: dict[str, Claims | AuthError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None
    """While there is one, an answer waits for it. What it says was decided before."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first question has come."""

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        self.asked.append(token)
        self.begun.set()
        answer = self.says.get(token) or InvalidToken("inactive")
        if self.hold is not None:
            await self.hold.wait()
        if isinstance(answer, AuthError):
            raise answer
        return answer

    async def check(self) -> None:
        self.asked.append("check")


@dataclass
class Memory:
    """What remembers, with all that it stands on."""

    source: Source
    verifier: CachedVerifier
    store: Store
    counters: Counters
    clock: Clock

    async def ask(self, token: str = "good", max_age: float | None = None) -> str:
        """Return the subject of `token`, or the reason why there is none."""
        try:
            claims = await self.verifier.verify(token, max_age=max_age)
        except AuthError as refusal:
            return refusal.reason
        return claims.subject or ""


@contextmanager
def running(provider: Provider, clock: Clock, **variables: str) -> Iterator[TestClient]:
    """Start the service, and end it: one after the other, as processes of it are in one place."""
    from app.main import create_app

    settings = read_settings(Settings, **variables)
    app = create_app(settings, transport=httpx.ASGITransport(provider), clock=clock)
    with TestClient(app) as client:
        yield client


def claims(subject: str = "anna", lifetime: float = 3600) -> Claims:
    """Return what a provider says about a good token."""
    return Claims(
        subject=subject,
        client_id="site",
        scopes=frozenset({"read:widgets"}),
        expires_at=NOW + lifetime,
        token_use="access_token",
    )


def memory(
    clock: Clock | None = None,
    store: Store | None = None,
    authority: tuple[str, ...] = AUTHORITY,
    **variables: str,
) -> Memory:
    """Return an empty memory in front of a source that knows one token: `good`."""
    clock = clock or Clock()
    settings = read_settings(CacheSettings, **variables)
    counters = Counters()
    store = store or MemoryStore(settings.cache_max_entries, settings.cache_ttl, clock, counters)
    source = Source({"good": claims()})
    verifier = CachedVerifier(source, store, settings, authority, clock, counters)
    return Memory(source, verifier, store, counters, clock)
