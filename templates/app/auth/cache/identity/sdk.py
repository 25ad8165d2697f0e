"""What identifies a cache entry: the provider, our client there, and the token."""

from app.settings import Settings


def cache_identity(settings: Settings) -> tuple[str, ...]:
    """Return what keeps cache entries of different providers and clients apart."""
    return ("sdk", settings.avnology_base_url, settings.avnology_client_id)


def canonical_token(token: str) -> str:
    """Return `token`: only one spelling of it is known."""
    return token
