"""Whose signatures are accepted."""

from app.settings import JwtSettings


def cache_identity(settings: JwtSettings) -> tuple[str, ...]:
    """Return what tells cached answers of different issuers, keys and algorithms apart."""
    return ("jwt", settings.issuer, settings.jwks_url, *sorted(settings.jwt_algorithms))
