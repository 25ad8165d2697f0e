"""What the identity provider said about a token, as it is cached, and where.

A store keeps answers under keys that tell nothing about the tokens. It may lose any of them at any
time; the caller decides whether what it returns still counts.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cachetools import TLRUCache

from app.auth.claims import Claims, MalformedClaims, parse_claims, parse_object
from app.auth.counters import Counters

VERSION = 1
"""Of the written form. A process of another release does not guess at what it reads."""
MAX_SIZE = 16_384
"""Bytes of the written form of an answer that is cached: four times a usual one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said when it was called. Never what followed from it."""

    claims: Claims
    asked_at: float
    """When the call was sent, in seconds since 1970. The answer is not newer than that."""

    def until(self, lifetime: float) -> float:
        """Return when it no longer counts: after `lifetime` (seconds), never after `exp`."""
        end = self.asked_at + lifetime
        expires_at = self.claims.expires_at
        return end if expires_at is None or end < expires_at else expires_at


class Store(Protocol):
    """Where answers are kept. It never raises: what it cannot do is a miss."""

    async def get(self, key: str) -> Answer | None:
        """Return the answer under `key`."""
        ...

    async def set(self, key: str, answer: Answer) -> None:
        """Keep `answer` under `key`."""
        ...

    async def delete(self, key: str) -> None:
        """Delete the answer under `key`."""
        ...

    def size(self) -> int | None:
        """Return how many answers there are, or `None` if the store does not count them."""
        ...


class MemoryStore:
    """Keeps answers in the memory of this process. The least used one makes room for a new one.

    `lifetime` in seconds, `clock` in seconds since 1970.
    """

    def __init__(
        self,
        max_entries: int,
        lifetime: float,
        clock: Callable[[], float],
        counters: Counters,
    ) -> None:
        self._answers = _Counted(
            max_entries, lambda _, answer, __: answer.until(lifetime), clock, counters
        )

    async def get(self, key: str) -> Answer | None:
        # Not first `in` and then taken: between the two it may expire.
        return self._answers.get(key)

    async def set(self, key: str, answer: Answer) -> None:
        if encode(answer, key) is not None:
            self._answers[key] = answer

    async def delete(self, key: str) -> None:
        self._answers.pop(key, None)

    def size(self) -> int | None:
        return len(self._answers)


class _Counted(TLRUCache[str, Answer]):
    """Counts the answers that had to make room before their time."""

    def __init__(
        self,
        max_entries: int,
        until: Callable[[str, Answer, float], float],
        clock: Callable[[], float],
        counters: Counters,
    ) -> None:
        super().__init__(max_entries, until, clock)
        self._counters = counters

    def popitem(self) -> tuple[str, Answer]:
        self._counters.evictions += 1
        return super().popitem()


def encode(answer: Answer, key: str) -> bytes | None:
    """Return the written form of an answer: JSON that says under which key it belongs.

    `None` where the answer is too large, or nested too deeply, to be worth remembering.
    """
    record = {
        "version": VERSION,
        "key": key,
        "asked_at": float(answer.asked_at),
        "claims": document_of(answer.claims),
    }
    try:
        raw = json.dumps(record, separators=(",", ":"), default=_plain).encode()
    except RecursionError:
        return None
    return raw if len(raw) <= MAX_SIZE else None


def decode(raw: bytes, key: str, now: float) -> Answer | None:
    """Return the answer that was written under `key`, or `None` if it is anything else.

    `now` in seconds since 1970. Whoever wrote it is not trusted with the form: bytes of all kinds,
    an answer that belongs elsewhere, one of another release or of the future are no answers.
    """
    if len(raw) > MAX_SIZE:
        return None
    try:
        record = parse_object(raw)
        claims, asked_at = record.get("claims"), record.get("asked_at")
        if (record.get("version"), record.get("key")) != (VERSION, key):
            return None
        if not isinstance(claims, dict) or not isinstance(asked_at, float) or asked_at > now:
            return None
        return Answer(parse_claims(claims), asked_at)
    except MalformedClaims:
        return None


def document_of(claims: Claims) -> dict[str, object]:
    """Return claims under their names, so that `parse_claims` makes the same claims of them."""
    named = {
        "sub": claims.subject,
        "client_id": claims.client_id,
        "iss": claims.issuer,
        "exp": claims.expires_at,
        "nbf": claims.not_before,
        "iat": claims.issued_at,
        "token_use": claims.token_use,
        "token_type": claims.token_type,
        "cnf": claims.bound or None,
    }
    said = {name: value for name, value in named.items() if value is not None}
    lists = {"scp": sorted(claims.scopes), "aud": sorted(claims.audience)}
    return {**claims.extra, **said, **lists}


def _plain(value: object) -> object:
    """Return a read-only mapping as one that can be written."""
    assert isinstance(value, Mapping)
    return dict(value)
