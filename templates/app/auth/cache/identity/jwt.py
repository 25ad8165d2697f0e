"""What identifies a cache entry: the issuer, its keys, and the token."""

from app.settings import Settings


def cache_identity(settings: Settings) -> tuple[str, ...]:
    """Return what keeps cache entries of different issuers, keys and algorithms apart."""
    return ("jwt", settings.issuer, settings.jwks_url, *sorted(settings.jwt_algorithms))


def canonical_token(token: str) -> str:
    """Return `token`: only one spelling of it is valid."""
    return token
