"""Whose word an answer is."""

from app.auth.verifier import ProviderSettings


def authority(settings: ProviderSettings) -> tuple[str, ...]:
    """Return who is asked about tokens and as whom: others may say something else about one."""
    return ("sdk", settings.base_url, settings.client_id)
