"""What the environment sets, read once at the start.

Each feature has a small class. A field is the variable of its name in upper case, and the text
under it tells the operator what to set.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.types import SecretStr
from pydantic_settings import NoDecode

from app.environment import FeatureSettings, check_url
from app.team_settings import TeamSettings


def _split(value: str) -> list[str]:
    return re.split(r"\s*,\s*", value.strip())


def _split_names(value: str) -> set[str]:
    names = {*_split(value)} - {""}
    if not names:
        raise ValueError("names nothing")
    return names


HttpUrl = Annotated[str, AfterValidator(check_url)]
"""A URL as it was set: `HttpUrl` of pydantic would add a slash, and issuers are compared."""

Origin = Annotated[str, Field(pattern=r"^https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?$")]
"""What a browser sends (RFC 6454, section 6.2). With a path or a slash it would never match."""

Names = Annotated[frozenset[str], NoDecode, BeforeValidator(_split_names)]
Origins = Annotated[frozenset[Origin], NoDecode, BeforeValidator(_split_names)]

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class ServiceSettings(FeatureSettings):
    """How the service behaves."""

    idp_timeout: float = Field(2, gt=0, le=30)
    """Seconds for one call to the identity provider, above 0 and up to 30."""
    request_max_bytes: int = Field(1_048_576, ge=1)
    """The largest request body in bytes."""
    resource_url: HttpUrl | None = None
    """The public URL of this service, which its metadata shows, for example https://api.example."""
    cors_origins: Origins = frozenset()
    """The origins of browsers that may call, separated by commas, for example https://app.example."""
    docs_enabled: bool = True
    """Either true or, to serve no /docs, /redoc and /openapi.json, false."""
    metrics_port: int | None = Field(None, ge=1, le=65_535)
    """The port that serves metrics, for example 9090."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """One of json, console and auto, which is console on a terminal."""
    log_level: Annotated[LogLevel, BeforeValidator(lambda level: level.strip().upper())] = "INFO"
    """One of DEBUG, INFO, WARNING, ERROR and CRITICAL."""


class PolicySettings(FeatureSettings):
    """Which tokens are accepted."""

    audience: Names = frozenset()
    """The names of this service in `aud`, separated by commas, for example https://api.example."""
    allowed_client_ids: Names = frozenset()
    """The clients whose tokens are accepted, separated by commas, for example web-app,batch-job."""
    accept_any_audience: bool = False
    """Either false or, to accept tokens for other services too, true."""
    clock_leeway: float = Field(10, ge=0, le=60)
    """Seconds that clocks may differ, 0 to 60."""

    def contradictions(self) -> Iterator[str]:
        if self.audience and self.accept_any_audience:
            yield "ACCEPT_ANY_AUDIENCE contradicts AUDIENCE: set one of the two."
        if not (self.audience or self.allowed_client_ids or self.accept_any_audience):
            yield (
                "AUDIENCE is missing: set it or ALLOWED_CLIENT_IDS, or ACCEPT_ANY_AUDIENCE=true if "
                "every client of the identity provider may call."
            )


def _check_api_key(key: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", key.get_secret_value()):
        raise ValueError("holds a blank or a character that no key has")
    return key


class AvnologySettings(FeatureSettings):
    """Where Avnology ID is, and what this service is there."""

    avnology_base_url: HttpUrl
    """The URL of Avnology ID's REST interface, for example https://api-id.avnology.net."""
    avnology_client_id: str
    """The client id of this service."""
    avnology_client_secret: SecretStr
    """The secret of this client."""
    avnology_api_key: Annotated[SecretStr, AfterValidator(_check_api_key)] | None = None
    """An API key for the calls about users and permissions."""
    avnology_issuer: HttpUrl | None = None
    """The issuer exactly as in `iss`, for example https://oauth.id.avnology.com."""

    @property
    def issuer(self) -> str | None:
        """The issuer that tokens must name, if they name one."""
        return self.avnology_issuer


def _check_cache_url(url: SecretStr) -> SecretStr:
    if url.get_secret_value() == "memory://":
        return url
    try:
        parts = urlsplit(url.get_secret_value())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in ("redis", "rediss") or not host or port == 0:
        raise ValueError("names no Redis server")
    if parts.query or parts.fragment or not (parts.path.strip("/") or "0").isdecimal():
        raise ValueError("has more after the server than the number of a database")
    return url


class CacheSettings(FeatureSettings):
    """Where results are cached, and for how long."""

    cache_url: Annotated[SecretStr, AfterValidator(_check_cache_url)] = SecretStr("memory://")
    """Either memory:// or a Redis server, for example redis://localhost:6379/0."""
    cache_ttl: float = Field(30, ge=0, le=300)
    """Seconds that a result is cached, 0 (off) to 300."""
    cache_negative_ttl: float = Field(5, ge=0, le=60)
    """Seconds that a negative result is cached, 0 (off) to 60."""
    cache_max_entries: int = Field(10_000, ge=1)
    """The number of results that are cached."""


def _check_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    # An HMAC-SHA256 key that is shorter than the hash weakens it (RFC 2104, section 3).
    if any(len(secret.get_secret_value().encode()) < 32 for secret in secrets):
        raise ValueError("has a secret of less than 32 bytes")
    return secrets


SecretList = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]


class WebhookSettings(FeatureSettings):
    """Which deliveries are accepted."""

    webhook_secrets: Annotated[SecretList, AfterValidator(_check_secrets)]
    """The current signing secret and, while it changes, the previous one, separated by a comma."""
    webhook_max_bytes: int = Field(262_144, ge=1)
    """The largest delivery in bytes, at most REQUEST_MAX_BYTES."""


def _check_database(url: SecretStr) -> SecretStr:
    if not re.fullmatch("sqlite:///(?!:memory:).+|postgresql://.+", url.get_secret_value()):
        raise ValueError("is not a supported database")
    return url


class InboxSettings(FeatureSettings):
    """Where events are stored, and for how long they count."""

    inbox_database_url: Annotated[SecretStr, AfterValidator(_check_database)] = SecretStr(
        "sqlite:///inbox.sqlite"
    )
    """Either sqlite:/// and a file or, for replicas on several machines, postgresql://."""
    revocation_ttl: float = Field(2_592_000, ge=1, le=31_536_000)
    """Seconds that a revocation counts, at least the lifetime of a refresh token."""
    inbox_retention_days: int = Field(30, ge=1, le=3650)
    """Days that processed events are kept, 1 to 3650."""


class Settings(
    TeamSettings,
    ServiceSettings,
    PolicySettings,
    AvnologySettings,
    CacheSettings,
    WebhookSettings,
    InboxSettings,
):
    """All that the environment sets for this service."""

    def contradictions(self) -> Iterator[str]:
        if self.revocation_ttl < self.cache_ttl:
            yield "REVOCATION_TTL is below CACHE_TTL: set at least as many seconds."
