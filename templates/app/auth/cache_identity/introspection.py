"""Which provider is called, and as which client."""

from app.settings import IntrospectionSettings


def cache_identity(settings: IntrospectionSettings) -> tuple[str, ...]:
    """Return what tells cached answers of different providers and clients apart."""
    return ("introspection", settings.hydra_introspect_url, settings.hydra_admin_user or "")
