"""A cache around a verifier whose results the test chooses, and a Redis that is a dict."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from app.auth.cache.memory import LOOKUPS
from app.auth.cache.redis_store import RedisStore
from app.auth.cache.verifier import CachedVerifier
from app.auth.claims import Claims, parse_claims
from app.auth.errors import AuthError, InvalidToken
from app.settings import Settings
from tests.callers import NOW, Clock
from tests.conftest import read_settings


@dataclass
class Source:
    """A verifier with the results in `results`. Every other token is inactive."""

    results: dict[str, Claims | AuthError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None
    """A call waits for it, with the result that was right when it was sent."""

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        self.calls.append(token)
        result = self.results.get(token) or InvalidToken("inactive")
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(result, AuthError):
            raise result
        return result


@dataclass
class Cached:
    """A cached verifier and what is around it."""

    source: Source
    verifier: CachedVerifier
    clock: Clock

    async def look_up(self, token: str = "good", max_age: float | None = None) -> str:
        """Return the subject of `token`, or the reason of its refusal."""
        try:
            claims = await self.verifier.verify(token, max_age=max_age)
        except AuthError as refusal:
            return refusal.reason
        return claims.subject or ""


class FakeRedis(Redis):
    """A client whose server is a dict. Raises `error` instead of a reply, if it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, object] = {}
        self.commands: list[str] = []
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        """A reply waits for it. The command has taken effect before."""

    async def execute_command(self, *args: Any, **options: Any) -> object:
        name, key, *rest = args
        self.commands.append(name)
        if self.error is not None:
            raise self.error
        reply = self.values.pop(key, None) if name == "DEL" else self.values.get(key)
        if name == "SET":
            self.values[key] = str(rest[0]).encode()
        if self.gate is not None:
            await self.gate.wait()
        return reply


def counts() -> Counter[str]:
    """Return how many lookups have ended in which way so far."""
    samples = [each for metric in LOOKUPS.collect() for each in metric.samples]
    return Counter(
        {each.labels["result"]: int(each.value) for each in samples if "_total" in each.name}
    )


def claims(subject: str = "anna", lifetime: float = 3600) -> Claims:
    """Return the claims of a valid token. `lifetime` in seconds."""
    return parse_claims({"sub": subject, "scope": "read:widgets", "exp": NOW + lifetime})


def cached(
    clock: Clock | None = None,
    *,
    redis: Redis | None = None,
    **variables: str,
) -> Cached:
    """Return an empty cache around a source that knows one token: `good`."""
    clock = clock or Clock()
    settings = read_settings(Settings, **variables)
    store = RedisStore(redis, settings.cache_ttl, clock) if redis else None
    source = Source({"good": claims()})
    verifier = CachedVerifier(source, settings, clock, store)
    return Cached(source, verifier, clock)
