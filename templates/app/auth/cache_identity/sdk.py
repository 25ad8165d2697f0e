"""Which provider is called, and as which client."""

from app.settings import AvnologySettings


def cache_identity(settings: AvnologySettings) -> tuple[str, ...]:
    """Return what tells cached answers of different providers and clients apart."""
    return ("sdk", settings.avnology_base_url, settings.avnology_client_id)
