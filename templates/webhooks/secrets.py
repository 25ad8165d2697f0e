"""Lists of secrets in the environment: long enough to be secret, and never shown."""

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

MIN_SECRET_BYTES = 32
"""A key of HMAC-SHA256 that is shorter than its output weakens it (RFC 2104, section 3)."""
MIN_API_KEY_BYTES = 16


def reveal(secrets: Iterable[SecretStr]) -> list[str]:
    """Return the text of `secrets`."""
    return [secret.get_secret_value() for secret in secrets]


def _split(value: object) -> object:
    """Split a comma-separated list. A default is split already."""
    return [one.strip() for one in value.split(",")] if isinstance(value, str) else value


def _long_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(secret.encode()) < MIN_SECRET_BYTES for secret in reveal(secrets)):
        raise ValueError(
            f"holds a secret of less than {MIN_SECRET_BYTES} bytes: set longer ones, separated by "
            "commas"
        )
    return secrets


def _long_keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(key) < MIN_API_KEY_BYTES or not re.fullmatch("[!-~]+", key) for key in reveal(keys)):
        raise ValueError(
            f"holds a key of less than {MIN_API_KEY_BYTES} bytes, or with a character that no "
            "header has: set longer ones of plain ASCII, separated by commas"
        )
    return keys


Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_split), AfterValidator(_long_secrets)]
"""Secrets that deliveries are signed with, all of them good."""
ApiKeys = Annotated[tuple[SecretStr, ...], BeforeValidator(_split), AfterValidator(_long_keys)]
"""Keys that senders show, all of them good."""
