"""What identifies a cache entry: the provider, our client there, and the token."""

from app.settings import Settings


def key_parts(settings: Settings, token: str) -> tuple[str, ...]:
    """Return what keeps entries apart. Hydra accepts an opaque token without `ory_at_` too."""
    client = settings.hydra_admin_user or ""
    return ("introspection", settings.hydra_introspect_url, client, token.removeprefix("ory_at_"))
