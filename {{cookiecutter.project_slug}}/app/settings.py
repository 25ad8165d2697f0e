"""What the environment sets, read once at the start.

Every feature describes its variables in one frozen class, next to its code. A wrong or missing
value is one sentence that says what to set, and all of them are said at once.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    Self,
    # {% if cookiecutter.include_webhooks %}
    TypeVar,
    # {% endif %}
    cast,
)
from urllib.parse import urlsplit

import httpx
from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    # {% if cookiecutter.include_webhooks %}
    SecretStr,
    # {% endif %}
    ValidationError,
    ValidationInfo,
    # {% if cookiecutter.include_webhooks %}
    create_model,
    # {% endif %}
    field_validator,
)


class InvalidSettings(Exception):
    """The environment does not describe a service. One sentence a problem, a line each."""


class Settings(BaseModel):
    """Base of the settings of one feature: an `alias` names a field's variable.

    `description` and `examples` of a field are what the sentence about a wrong value says.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True
    )


class Composition(BaseModel):
    """Base of a class whose fields are `Settings`, all of them read from one environment."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read every feature's settings. Raises `InvalidSettings` with all problems at once."""
        # Blank means unset, so that a deployment can blank a variable it inherits.
        values = {name: value for name, value in environ.items() if value.strip()}
        try:
            return cls.model_validate(dict.fromkeys(cls.model_fields, values))
        except ValidationError as error:
            sentences = [_sentence(cls, problem) for problem in error.errors()]
        raise InvalidSettings("\n".join(sentences))


def environment(dotenv: Path = Path(".env")) -> dict[str, str]:
    """Return the process environment on top of the `.env` file, which is for development."""
    values = {
        name: value
        for name, value in dotenv_values(dotenv, interpolate=False).items()
        if value is not None
    }
    return {**values, **os.environ}


def _sentence(composition: type[Composition], problem: Mapping[str, Any]) -> str:
    feature, where = problem["loc"][:2]
    settings = cast(type[Settings], composition.model_fields[feature].annotation)
    # pydantic names a field by its alias, but one that fails with its default by its own name
    name, field = next(
        (name, field)
        for name, field in settings.model_fields.items()
        if where in (name, field.alias)
    )
    variable, examples = field.alias or name, field.examples or ["..."]
    if problem["type"] == "missing":
        wrong = f"is missing: set {field.description}"
    elif problem["type"] == "value_error":
        wrong = str(problem["ctx"]["error"])
    else:
        wrong = f"is wrong: set {field.description}"
    return f"{variable} {wrong}, for example {variable}={examples[0]}"


def _names(value: str | frozenset[str]) -> frozenset[str]:
    """Split a comma-separated list. A default is split already."""
    if isinstance(value, frozenset):
        return value
    names = frozenset(name.strip() for name in value.split(",")) - {""}
    if not names:
        raise ValueError("names nothing: set at least one value")
    return names


Names = Annotated[frozenset[str], BeforeValidator(_names)]
"""A comma-separated list of names."""

_PRIVATE_NETWORKS = [
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
    )
]
_PRIVATE_SUFFIXES = (
    ".localhost",
    ".local",
    ".internal",
    ".svc",
    ".cluster.local",
    ".test",
    ".lan",
    ".home.arpa",
)


def _provider_url(url: str) -> str:
    """Check the address of a provider: tokens and keys must not cross a public network in clear."""
    if not re.fullmatch(r"[!-~]+", url):
        raise ValueError("holds a space or a character that no URL has: set a plain URL")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        httpx.URL(url)  # by which it is called
    except (ValueError, httpx.InvalidURL):
        raise ValueError("is not a URL: set https://, a host and a path") from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise ValueError("is not a URL: set https://, a host and a path")
    if "@" in parts.netloc:
        raise ValueError("carries credentials: take the part before the @ out")
    if "?" in url or "#" in url:
        raise ValueError("carries a query or a fragment: take the part from ? or # on out")
    if parts.scheme == "http" and not is_private(host):
        raise ValueError("sends tokens over a public network in clear: set an https:// URL")
    return url


ProviderUrl = Annotated[str, AfterValidator(_provider_url)]
"""An address of the identity provider: `https`, or `http` inside a private network."""


def is_private(host: str) -> bool:
    """Tell whether `host` is a loopback or private address, or a name that only a network has."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.lower().removesuffix(".")
        last = name.rpartition(".")[2]
        # `http://134744072/` is a public address in another spelling
        if last[:1].isdigit():
            return False
        return "." not in name or name.endswith(_PRIVATE_SUFFIXES)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _PRIVATE_NETWORKS)


# {% if cookiecutter.include_webhooks %}
Feature = TypeVar("Feature", bound=Settings)


def read_feature(feature: type[Feature]) -> Feature:
    """Read the settings of one feature from the environment. Raises `InvalidSettings`."""
    alone = create_model("Alone", __base__=Composition, feature=(feature, ...))
    settings: Feature = alone.read(environment()).feature  # type: ignore[attr-defined]
    return settings


def reveal(secrets: tuple[SecretStr, ...]) -> list[str]:
    """Return the text of `secrets`."""
    return [secret.get_secret_value() for secret in secrets]


def _split(value: object) -> object:
    """Split a comma-separated list. A default is split already."""
    return [one.strip() for one in value.split(",")] if isinstance(value, str) else value


SecretList = Annotated[tuple[SecretStr, ...], BeforeValidator(_split)]
"""A comma-separated list of secrets."""


def _check_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    # An HMAC-SHA256 key that is shorter than the hash weakens it (RFC 2104, section 3).
    if any(len(secret.encode()) < 32 for secret in reveal(secrets)):
        raise ValueError("has a secret of less than 32 bytes: set longer ones")
    return secrets


# {% if not cookiecutter.validation_mode == 'sdk' %}
def _check_api_keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not all(re.fullmatch("[!-~]{16,}", key) for key in reveal(keys)):
        raise ValueError("has a key of less than 16 bytes, or that is not plain ASCII: set others")
    return keys


# {% endif %}
class WebhookSettings(Settings):
    """Which deliveries are accepted."""

    secrets: Annotated[SecretList, AfterValidator(_check_secrets)] = Field(
        alias="WEBHOOK_SECRETS",
        description="the current signing secret and, during a change, the previous one",
        examples=["whsec_..."],
    )
    # {% if not cookiecutter.validation_mode == 'sdk' %}
    api_keys: Annotated[SecretList, AfterValidator(_check_api_keys)] = Field(
        default=(),
        alias="WEBHOOK_API_KEYS",
        description="the keys of senders that cannot sign, separated by commas",
        examples=["key_..."],
    )
    # {% endif %}
    max_bytes: int = Field(
        default=262_144,
        ge=1,
        alias="WEBHOOK_MAX_BYTES",
        description="the largest delivery in bytes, at least 1",
        examples=["262144"],
    )


def _check_database(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    scheme, _, place = text.partition(":///" if text.startswith("sqlite:") else "://")
    if scheme not in ("sqlite", "postgresql") or not place or place.startswith(":memory:"):
        raise ValueError(
            "is not a supported database: set sqlite:/// and a file, or postgresql:// and a "
            "database"
        )
    return url


class InboxSettings(Settings):
    """Where events are stored, and for how long."""

    database_url: Annotated[SecretStr, AfterValidator(_check_database)] = Field(
        default=SecretStr("sqlite:///inbox.sqlite"),
        alias="INBOX_DATABASE_URL",
        description="a SQLite file, or a PostgreSQL database for replicas on several machines",
        examples=["sqlite:///inbox.sqlite"],
    )
    retention_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        alias="INBOX_RETENTION_DAYS",
        description="days that processed events are kept, 1 to 3650",
        examples=["30"],
    )


# {% if cookiecutter.__revocations %}
class RevocationSettings(Settings):
    """How long a revocation counts."""

    ttl: float = Field(
        default=2_592_000,
        ge=1,
        le=31_536_000,
        alias="REVOCATION_TTL",
        description="seconds that a revocation counts, at least the lifetime of a refresh token",
        examples=["2592000"],
    )


# {% endif %}
# {% endif %}
class ServiceSettings(Settings):
    """How the service behaves, whatever it does."""

    idp_timeout: float = Field(
        default=2,
        gt=0,
        le=30,
        alias="IDP_TIMEOUT",
        description="seconds for one call to the identity provider, above 0 and up to 30",
        examples=["2"],
    )
    request_max_bytes: int = Field(
        default=1_048_576,
        ge=1,
        alias="REQUEST_MAX_BYTES",
        description="the largest request body in bytes, at least 1",
        examples=["1048576"],
    )
    resource_url: ProviderUrl | None = Field(
        default=None,
        alias="RESOURCE_URL",
        description="the public URL of this service, for clients that look for its metadata",
        examples=["https://widgets.example.com"],
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO",
        alias="LOG_LEVEL",
        description="DEBUG, INFO, WARNING, ERROR or CRITICAL",
        examples=["INFO"],
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, level: str) -> str:
        return level.strip().upper()


class PolicySettings(Settings):
    """Which tokens are accepted. Somebody has to say whom a token must be for."""

    audience: Names = Field(
        default=frozenset(),
        validate_default=True,
        alias="AUDIENCE",
        description="the names of this service in `aud`, separated by commas",
        examples=["https://widgets.example.com"],
    )
    allowed_client_ids: Names = Field(
        default=frozenset(),
        alias="ALLOWED_CLIENT_IDS",
        description="the clients whose tokens are accepted, separated by commas",
        examples=["web-app,batch-job"],
    )
    accept_any_audience: bool = Field(
        default=False,
        validate_default=True,
        alias="ACCEPT_ANY_AUDIENCE",
        description="true or false",
        examples=["true"],
    )
    clock_leeway: float = Field(
        default=10,
        ge=0,
        le=60,
        alias="CLOCK_LEEWAY",
        description="seconds that clocks may differ, 0 to 60",
        examples=["10"],
    )

    @field_validator("accept_any_audience")
    @classmethod
    def _decided(cls, accept_any: bool, info: ValidationInfo) -> bool:
        # A field that failed is not in `data`, and has its own sentence.
        audience = info.data.get("audience", {"?"})
        client_ids = info.data.get("allowed_client_ids", {"?"})
        if accept_any and info.data.get("audience"):
            raise ValueError("contradicts AUDIENCE: take one of the two out")
        if not (accept_any or audience or client_ids):
            raise ValueError(
                "is the last way out: set AUDIENCE or ALLOWED_CLIENT_IDS, or, if every client of "
                "the identity provider may call, this"
            )
        return accept_any
