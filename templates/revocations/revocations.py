"""Revocations that the platform pushes: marks that every token is held against, in every mode.

A mark says that nothing counts which was issued up to some moment: to a user, or to a client, or
one token. Every process has all of them at hand. Where answers are in Redis, so are the marks, and
what one process is told of, the others know at their next request.
"""

import asyncio
import hashlib
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from cachetools import TLRUCache
from pydantic import Field

from app.auth.answers import MemoryStore, StoreUnavailable
from app.auth.cache import CachedVerifier
from app.auth.claims import Claims
from app.auth.errors import InvalidToken
from app.settings import Settings

logger = logging.getLogger("app.auth.revocations")

PATROL = 1.0
"""Seconds from one look for others' marks to the next, for a process that has no requests."""


class RevocationSettings(Settings):
    """How long a revocation is remembered."""

    ttl: float = Field(
        default=86_400,
        ge=1,
        le=31_536_000,
        alias="REVOCATION_TTL",
        description="seconds that a revocation is kept, at least the longest lifetime of a token",
        examples=["86400"],
    )


class SharedMarks(Protocol):
    """Marks that other processes see. What it returns was checked by nobody."""

    @property
    def epoch(self) -> bytes | None:
        """Changes with every mark. `None` while it cannot be told."""
        ...

    async def look(self) -> None:
        """Bring `epoch` up to date."""
        ...

    async def put(self, marks: Mapping[str, float]) -> None:
        """Store marks, or raise `StoreUnavailable`."""
        ...

    async def news(self) -> Mapping[str, float]:
        """Return the marks since the last time, or raise `StoreUnavailable`."""
        ...


class Revocations:
    """The marks that count now. `ttl` in seconds, `clock` in seconds since 1970."""

    def __init__(
        self,
        cache: CachedVerifier,
        shared: SharedMarks | None,
        ttl: float,
        clock: Callable[[], float],
    ) -> None:
        self._cache = cache
        self._shared = shared
        self._clock = clock
        self._marks: TLRUCache[str, float] = TLRUCache(
            math.inf, lambda _, __, now: now + ttl, clock
        )
        self._epoch: bytes | None = None
        self._catching_up = asyncio.Lock()

    async def revoke_subject(self, subject: str, at: float) -> None:
        """Revoke what was issued to `subject` up to `at` (seconds since 1970).

        It counts here at once. Raises `StoreUnavailable` where others do not know of it yet: then
        do it again.
        """
        await self._revoke({name_of("subject", subject): at})
        # What is remembered is held against the mark. To look for it takes long where there is
        # much, and must not keep the event from being done.
        with suppress(StoreUnavailable):
            await self._cache.forget_subject(subject)

    async def revoke_client(self, client_id: str, at: float) -> None:
        """Revoke what was issued to a client up to `at`. As `revoke_subject`."""
        await self._revoke({name_of("client", client_id): at})
        await self._cache.forget_all()

    async def revoke_token(self, token: str, at: float) -> None:
        """Revoke one token that was issued up to `at`. As `revoke_subject`."""
        await self._revoke({name_of("token", self._identity_of(token)): at})
        await self._cache.forget(self._cache.key_of(token))

    def restore(self, subject: str, at: float) -> None:
        """Mark `subject` in this process, as it was before a restart."""
        self._note({name_of("subject", subject): at})

    async def check(self, claims: Claims, token: str) -> None:
        """Raise `InvalidToken` where `token`, which these claims are about, is revoked."""
        await self.catch_up()
        if self._marks:
            for name in names_of(claims, self._identity_of(token)):
                check_issued_later(claims, self._marks.get(name))

    async def catch_up(self) -> None:
        """Take over the marks of others. While they cannot be had, those at hand count."""
        if self._shared is None or self._shared.epoch in (None, self._epoch):
            return
        async with self._catching_up:
            epoch = self._shared.epoch
            if epoch in (None, self._epoch):
                return
            try:
                if epoch == b"" and self._marks:
                    # It has lost its memory: what is known here, the others learn again.
                    await self._shared.put(dict(self._marks))
                self._note(await self._shared.news())
                self._epoch = epoch
            except StoreUnavailable as problem:
                logger.warning("marks of others not read reason=%s", problem)

    async def patrol(self) -> None:
        """Look for the marks of others, until cancelled."""
        while self._shared is not None:
            await self._shared.look()
            await self.catch_up()
            await asyncio.sleep(PATROL)

    async def _revoke(self, marks: Mapping[str, float]) -> None:
        self._note(marks)
        if self._shared is not None:
            await self._shared.put(marks)

    def _identity_of(self, token: str) -> str:
        return self._cache.key_of(what_is_signed(token))

    def _note(self, marks: Mapping[str, float]) -> None:
        for name, at in marks.items():
            # An older event does not undo a newer one, and one that is read again lives no longer.
            if at > self._marks.get(name, -math.inf):
                self._marks[name] = at


class RevocableVerifier:
    """Believes what `cache` says unless a mark says otherwise, however the answer came."""

    def __init__(self, cache: CachedVerifier, revocations: Revocations) -> None:
        self._cache = cache
        self._revocations = revocations

    async def verify(self, token: str, max_age: float | None = None) -> Claims:
        """Return what is said about `token`. `max_age` in seconds, as for `cache`."""
        claims = await self._cache.verify(token, max_age)
        # After the answer: a mark that came while the provider was asked counts too.
        await self._revocations.check(claims, token)
        return claims

    async def check(self) -> None:
        """Raise `ProviderUnavailable` unless tokens can be verified now."""
        await self._cache.check()


@asynccontextmanager
async def open_revocations(
    cache: CachedVerifier, settings: RevocationSettings, clock: Callable[[], float]
) -> AsyncIterator[Revocations]:
    """Open the marks for the life of the service, beside the answers in `cache`."""
    shared = shared_marks(cache, settings)
    revocations = Revocations(cache, shared, settings.ttl, clock)
    patrol = asyncio.create_task(revocations.patrol())
    try:
        yield revocations
    finally:
        patrol.cancel()


def shared_marks(cache: CachedVerifier, settings: RevocationSettings) -> SharedMarks | None:
    """Return the marks beside the answers in Redis, `None` where those are in memory."""
    if isinstance(cache.store, MemoryStore):
        return None
    # Imported where they are wanted, as the answers' store is
    from app.auth.redis_marks import RedisMarks
    from app.auth.redis_store import RedisStore

    assert isinstance(cache.store, RedisStore)
    return RedisMarks(cache.store, settings.ttl)


def name_of(kind: str, value: str) -> str:
    """Return what a mark is called: a hash, as others may see it."""
    return hashlib.sha256(f"{kind}\0{value}".encode()).hexdigest()


def what_is_signed(token: str) -> str:
    """Return a signed token without its signature, and any other as it is.

    Who has an ECDSA signature can make a second one of it that is as good (`n - s` in place of `s`,
    SEC 1 section 4.1.4), and with it another token that says the same.
    """
    # Base64url of a JSON object, with or without white space after its brace (RFC 7515 section 3)
    if token.startswith(("ey", "ew")) and token.count(".") == 2:
        return token.rpartition(".")[0]
    return token


def names_of(claims: Claims, identity: str) -> Iterable[str]:
    """Return the marks that would revoke a token."""
    if claims.client_id is not None:
        yield name_of("client", claims.client_id)
    if claims.owner is not None:
        yield name_of("subject", claims.owner)
    yield name_of("token", identity)


def check_issued_later(claims: Claims, marked_at: float | None) -> None:
    """Refuse a token that was issued up to `marked_at` (seconds since 1970), or nobody knows when.

    `iat` is in whole seconds, so a token of the same second counts as issued before. `None` is no
    mark.
    """
    if marked_at is not None and (claims.issued_at is None or claims.issued_at <= marked_at):
        raise InvalidToken("revoked")
