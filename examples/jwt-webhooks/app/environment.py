"""What settings are built on: how the environment is read, and which URLs it may hold."""

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx
from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

PRIVATE_NETWORKS = "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 ::1/128 fc00::/7"
PRIVATE_SUFFIXES = ".localhost .local .internal .svc .cluster.local .test .lan .home.arpa"


class InvalidSettings(Exception):
    """The service cannot run with this environment. One sentence per problem, a line each."""


class FeatureSettings(BaseSettings):
    """Base of a feature's settings. A method `contradictions` yields what does not go together."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        validate_default=False,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def read(cls) -> Self:
        """Read the environment, then `.env`, then the files in the folder `SECRETS_DIR`.

        Raises `InvalidSettings` with the problems of all fields, or else all contradictions.
        """
        folder = os.environ.get("SECRETS_DIR", "").strip() or None
        if folder and not Path(folder).is_dir():
            raise InvalidSettings("SECRETS_DIR is no folder: set one with a file per variable.")
        try:
            settings = cls(_secrets_dir=folder)
        except ValidationError as error:
            sentences = [_sentence(cls, problem) for problem in error.errors()]
        except (OSError, SettingsError, UnicodeDecodeError) as error:
            raise InvalidSettings(f"The settings cannot be read: {error}.") from None
        else:
            # Not by pydantic's validators of a model: they stop at the first problem.
            methods = [vars(kind).get("contradictions") for kind in cls.__mro__]
            sentences = [sentence for method in methods if method for sentence in method(settings)]
            if not sentences:
                return settings
        raise InvalidSettings("\n".join(dict.fromkeys(sentences)))

    @model_validator(mode="before")
    @classmethod
    def _drop_blanks(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Unset what holds only white space."""
        return {name: value for name, value in values.items() if str(value).strip()}


def _sentence(kind: type[FeatureSettings], problem: Mapping[str, Any]) -> str:
    """Return what is wrong with a variable and what to set, without its value."""
    name = str(problem["loc"][0]) if problem["loc"] else ""  # none by a validator of all fields
    wrong = problem["msg"].removeprefix("Value error, ")
    wrong = wrong.replace("Field required", "is missing").replace("Input should be", "must be")
    if problem["type"].endswith("_parsing"):
        wrong = wrong.partition(",")[0]  # what follows may show a part of the value
    if problem["type"] == "string_pattern_mismatch":
        wrong = "has the wrong form"
    text = getattr(kind.model_fields.get(name), "description", None) or "a value."
    return f"{name.upper()} {wrong}: set {text[:1].lower()}{text[1:]}" if name else wrong


def check_url(url: str) -> str:
    """Return `url` as it is. Raises `ValueError` with what is wrong about it."""
    if not re.fullmatch(r"[!-~]+", url):
        raise ValueError("holds a space or a character that no URL has")
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        raise ValueError("is not a URL") from None
    port = 443 if parts.port is None else parts.port
    if parts.scheme not in ("http", "https") or not parts.host or not 0 < port < 65_536:
        raise ValueError("is not a URL")
    if parts.userinfo:
        raise ValueError("carries credentials")
    if "?" in url or "#" in url:
        raise ValueError("carries a query or a fragment")
    if parts.scheme == "http" and not is_private(parts.host):
        raise ValueError("sends tokens over a public network in clear text without https://")
    return url


def is_private(host: str) -> bool:
    """Tell whether `host` is a loopback or private address, or a name of a private network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.lower().removesuffix(".")
        # `http://134744072/` is a public address in another spelling.
        if name.rpartition(".")[2][:1].isdigit():
            return False
        return "." not in name or name.endswith(tuple(PRIVATE_SUFFIXES.split()))
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in ipaddress.ip_network(network) for network in PRIVATE_NETWORKS.split())
