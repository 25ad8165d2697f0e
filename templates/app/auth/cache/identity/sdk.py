"""What identifies a cache entry: the provider, our client there, and the token."""

from app.auth.verifier import ProviderSettings


def cache_identity(settings: ProviderSettings) -> tuple[str, ...]:
    """Return what keeps cache entries of different providers and clients apart."""
    return ("sdk", settings.base_url, settings.client_id)


def canonical_token(token: str) -> str:
    """Return `token`: only one spelling of it is known."""
    return token
