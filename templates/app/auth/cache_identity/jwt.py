"""Whose signatures are accepted."""

from app.auth.verifier import ProviderSettings


def cache_identity(settings: ProviderSettings) -> tuple[str, ...]:
    """Return what tells cached answers of different issuers, keys and algorithms apart."""
    return ("jwt", settings.issuer, settings.keys_at, *sorted(settings.algorithms))
