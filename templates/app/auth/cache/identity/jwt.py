"""What identifies a cache entry: the issuer, its keys, and the token."""

from app.auth.verifier import ProviderSettings


def cache_identity(settings: ProviderSettings) -> tuple[str, ...]:
    """Return what keeps cache entries of different issuers, keys and algorithms apart."""
    return ("jwt", settings.issuer, settings.keys_at, *sorted(settings.algorithms))


def canonical_token(token: str) -> str:
    """Return `token`: only one spelling of it is valid."""
    return token
