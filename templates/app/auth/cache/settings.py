"""The settings of the cache."""

from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from app.settings import Settings

MEMORY = "memory://"


class CacheSettings(Settings):
    """Where answers are remembered, and for how long."""

    url: SecretStr = Field(
        default=SecretStr(MEMORY),
        alias="CACHE_URL",
        description="memory:// or the URL of a Redis server",
        examples=["redis://localhost:6379/0"],
    )
    ttl: float = Field(
        default=30,
        ge=0,
        le=300,
        alias="CACHE_TTL",
        description="seconds that an answer is remembered, 0 (not at all) to 300",
        examples=["30"],
    )
    negative_ttl: float = Field(
        default=5,
        ge=0,
        le=60,
        alias="CACHE_NEGATIVE_TTL",
        description="seconds that a clear no is remembered, 0 (not at all) to 60",
        examples=["5"],
    )
    max_entries: int = Field(
        default=10_000,
        ge=1,
        alias="CACHE_MAX_ENTRIES",
        description="how many answers are remembered, at least 1",
        examples=["10000"],
    )

    @field_validator("url")
    @classmethod
    def _known(cls, url: SecretStr) -> SecretStr:
        check_url(url.get_secret_value())
        return url


def check_url(url: str) -> None:
    """Raise `ValueError` unless `url` is `memory://` or one of a Redis server."""
    if url == MEMORY:
        return
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is not a URL: set memory:// or redis://, a host and a port") from None
    if parts.scheme not in ("redis", "rediss"):
        raise ValueError("has a scheme that is not known: set memory://, redis:// or rediss://")
    if not host or port == 0:
        raise ValueError("names no server: set redis://, a host and a port")
    if parts.query or parts.fragment:
        raise ValueError("carries options: take the part from ? or # on out")
    if not (parts.path.strip("/") or "0").isdecimal():
        raise ValueError("names no database: its path is a number, or nothing")
