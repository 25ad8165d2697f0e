"""What is cached for a token, how it is written for other processes, and the store in memory."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cachetools import TLRUCache
from pydantic_core import PydanticSerializationError

from app.auth.claims import Claims, MalformedClaims, parse_claims, parse_object
from app.settings import CacheSettings

VERSION = 3
"""Of the written form. An entry of another version is a miss."""
MAX_SIZE = 16_384
"""Bytes of the written form of an entry: four times a usual one. Larger ones are not cached."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What the provider returned for a token. Never what the policy made of it."""

    claims: Claims
    sent_at: float
    """When the call was sent, in seconds since 1970. What the provider knew may be that old."""

    def expires_at(self, ttl: float) -> float:
        """Return when the entry expires: `ttl` seconds after the call, and never after `exp`."""
        end = self.sent_at + ttl
        exp = self.claims.expires_at
        return end if exp is None or end < exp else exp


class MemoryStore:
    """Keeps entries in this process, and evicts the least recently used one when it is full.

    `clock` in seconds since 1970.
    """

    def __init__(self, settings: CacheSettings, clock: Callable[[], float]) -> None:
        self.counts = Counter[str]()
        self._ttl = settings.cache_ttl
        self._clock = clock
        self._entries: TLRUCache[str, CacheEntry] = TLRUCache(
            settings.cache_max_entries,
            lambda _, entry, __: entry.expires_at(settings.cache_ttl),
            clock,
        )

    async def get(self, key: str) -> CacheEntry | None:
        try:
            return self._entries[key]
        except KeyError:
            return None

    async def set(self, key: str, entry: CacheEntry) -> None:
        if encode(entry, key) is not None:
            if key not in self._entries and len(self._entries) == self._entries.maxsize:
                self.counts["evictions"] += 1
            self._entries[key] = entry

    async def delete(self, key: str) -> None:
        self._entries.pop(key, None)


def encode(entry: CacheEntry, key: str) -> bytes | None:
    """Return an entry as JSON with its key, or `None` if it is too large or nested too deeply."""
    record = {"version": VERSION, "key": key, "sent_at": entry.sent_at}
    try:
        claims = entry.claims.model_dump(
            mode="json", by_alias=True, exclude_none=True, fallback=dict
        )
    except PydanticSerializationError:
        return None
    raw = json.dumps({**record, "claims": claims}, separators=(",", ":")).encode()
    return raw if len(raw) <= MAX_SIZE else None


def decode(raw: bytes, key: str, now: float) -> CacheEntry | None:
    """Return the entry that `encode` wrote for `key`, or `None` if the bytes are anything else.

    `now` in seconds since 1970. The bytes are not trusted: they may be an entry of another key, of
    another version or of the future.
    """
    if len(raw) > MAX_SIZE:
        return None
    with suppress(MalformedClaims):
        record = parse_object(raw)
        claims, sent_at = record.get("claims"), record.get("sent_at")
        is_ours = (record.get("version"), record.get("key")) == (VERSION, key)
        if is_ours and isinstance(claims, dict) and isinstance(sent_at, float) and sent_at <= now:
            return CacheEntry(parse_claims(claims), sent_at)
    return None
