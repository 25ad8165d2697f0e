"""What identifies a cache entry: the issuer, its keys, and the token."""

from app.settings import Settings


def key_parts(settings: Settings, token: str) -> tuple[str, ...]:
    """Return what keeps entries of different issuers, keys, algorithms and tokens apart."""
    return ("jwt", settings.issuer, settings.jwks_url, *sorted(settings.jwt_algorithms), token)
