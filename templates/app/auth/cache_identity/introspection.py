"""Which provider is called, and as which client."""

from app.auth.verifier import ProviderSettings


def cache_identity(settings: ProviderSettings) -> tuple[str, ...]:
    """Return what tells cached answers of different providers and clients apart."""
    return ("introspection", settings.url, settings.user or "")
