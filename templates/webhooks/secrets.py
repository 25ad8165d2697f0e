"""Lists of secrets in the environment: long enough to be secret, and never shown."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

MIN_SECRET_BYTES = 32
"""A key of HMAC-SHA256 that is shorter than its output weakens it (RFC 2104, section 3)."""


def reveal(secrets: Iterable[SecretStr]) -> list[str]:
    """Return the text of `secrets`."""
    return [secret.get_secret_value() for secret in secrets]


def split(value: object) -> object:
    """Split a comma-separated list. A default is split already."""
    return [one.strip() for one in value.split(",")] if isinstance(value, str) else value


def _long_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(secret.encode()) < MIN_SECRET_BYTES for secret in reveal(secrets)):
        raise ValueError(
            f"holds a secret of less than {MIN_SECRET_BYTES} bytes: set longer ones, separated by "
            "commas"
        )
    return secrets


Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(split), AfterValidator(_long_secrets)]
"""Secrets that deliveries are signed with, all of them good."""
