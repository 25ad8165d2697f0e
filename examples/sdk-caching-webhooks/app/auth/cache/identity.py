"""What identifies a cache entry: the provider, our client there, and the token."""

from app.settings import Settings


def key_parts(settings: Settings, token: str) -> tuple[str, ...]:
    """Return what keeps entries of different providers, clients and tokens apart."""
    return ("sdk", settings.avnology_base_url, settings.avnology_client_id, token)
