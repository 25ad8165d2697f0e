"""What is cached for a token, and the entries that a process keeps in memory."""

from collections.abc import Callable

from cachetools import TLRUCache
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict

from app.auth.claims import Claims
from app.settings import CacheSettings

LOOKUPS = Counter("cache_lookups", "Lookups in the cache by result", ["result"])
STORE_ERROR = LOOKUPS.labels("store_error")


class CacheEntry(BaseModel):
    """What the provider returned for a token, never what the policy made of it."""

    model_config = ConfigDict(strict=True, frozen=True)

    key: str
    sent_at: float  # when the call was sent, in seconds since 1970: the result is that old
    claims: Claims | None  # `None` is a negative result: the token is inactive

    def expires_at(self, ttl: float) -> float:
        """Return when the entry expires: `ttl` seconds after the call, and never after `exp`."""
        end = self.sent_at + ttl
        exp = None if self.claims is None else self.claims.expires_at
        return end if exp is None else min(end, exp)


class MemoryStore:
    """The newest entry for each token, until it expires.

    Negative results have a store of their own, so that junk evicts no valid token. When a store is
    full, the least recently used entry is evicted.
    """

    def __init__(self, settings: CacheSettings, clock: Callable[[], float]) -> None:
        def store(ttl: float) -> TLRUCache[str, CacheEntry]:
            size = settings.cache_max_entries
            return TLRUCache(size, lambda _, entry, __: entry.expires_at(ttl), clock)

        self._valid = store(settings.cache_ttl)
        # Kept for `cache_ttl` at least, so that no older entry of Redis takes its place
        self._inactive = store(max(settings.cache_ttl, settings.cache_negative_ttl))

    def get(self, key: str) -> CacheEntry | None:
        try:
            return self._valid[key]  # a third of the time of its method `get`
        except KeyError:
            return self._inactive.get(key)

    def set(self, entry: CacheEntry) -> None:
        self.delete(entry.key)
        store = self._inactive if entry.claims is None else self._valid
        store[entry.key] = entry

    def delete(self, key: str) -> None:
        self._valid.pop(key, None)
        self._inactive.pop(key, None)


def is_recent(sent_at: float, limit: float, now: float) -> bool:
    """Tell whether a call was sent less than `limit` seconds ago."""
    # After a clock was set back, `sent_at` may lie ahead. Then the age is unknown.
    return now - limit < sent_at <= now
