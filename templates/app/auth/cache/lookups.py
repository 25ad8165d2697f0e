"""How lookups in the cache end, counted for Prometheus."""

from prometheus_client import Counter

LOOKUPS = Counter("cache_lookups", "Lookups in the cache by result", ["result"])
HIT = LOOKUPS.labels("hit")
NEGATIVE_HIT = LOOKUPS.labels("negative_hit")
COALESCED = LOOKUPS.labels("coalesced")
MISS = LOOKUPS.labels("miss")
BYPASSED = LOOKUPS.labels("bypassed")
STORE_ERROR = LOOKUPS.labels("store_error")
