"""Whose word an answer is."""

from app.auth.verifier import ProviderSettings


def authority(settings: ProviderSettings) -> tuple[str, ...]:
    """Return whose signatures are believed, by which keys and algorithms."""
    return ("jwt", settings.issuer, settings.keys_at, *sorted(settings.algorithms))
