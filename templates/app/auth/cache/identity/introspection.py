"""What identifies a cache entry: the provider, our client there, and the token."""

from app.settings import Settings


def cache_identity(settings: Settings) -> tuple[str, ...]:
    """Return what keeps cache entries of different providers and clients apart."""
    return ("introspection", settings.hydra_introspect_url, settings.hydra_admin_user or "")


def canonical_token(token: str) -> str:
    """Return `token` without `ory_at_`. Hydra accepts both spellings of an opaque token."""
    return token.removeprefix("ory_at_")
