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


class IntrospectionSettings(FeatureSettings):
    """Where Hydra introspects tokens."""

    hydra_introspect_url: HttpUrl
    """The full URL, for example http://ciam-hydra:5003/admin/oauth2/introspect."""
    hydra_admin_user: str | None = None
    """The user name for a proxy in front of Hydra's admin listener."""
    hydra_admin_pass: SecretStr | None = None
    """The password for a proxy in front of Hydra's admin listener."""
    olympus_issuer: HttpUrl | None = None
    """The issuer exactly as in `iss`, for example https://oauth.ciam.example.com."""

    @property
    def issuer(self) -> str | None:
        """The issuer that tokens must name, if they name one."""
        return self.olympus_issuer

    def contradictions(self) -> Iterator[str]:
        if (self.hydra_admin_user is None) != (self.hydra_admin_pass is None):
            yield "HYDRA_ADMIN_USER and HYDRA_ADMIN_PASS go together: set both or neither."


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


class Settings(
    TeamSettings,
    ServiceSettings,
    PolicySettings,
    IntrospectionSettings,
    CacheSettings,
):
    """All that the environment sets for this service."""
