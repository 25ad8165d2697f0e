"""What the service is told about the provider: the variables of its environment."""

from dev.clients import AUDIENCE
from dev.environment import Endpoints
from dev.signing import SECRET
from dev.tokens import QUESTION


def service_settings(provider: Endpoints) -> dict[str, str]:
    """Return the variables that let the service trust `provider` and take events."""
    return {
        "OLYMPUS_ISSUER": provider.issuer,
        "OLYMPUS_JWKS_URL": provider.public + QUESTION,
        "AUDIENCE": AUDIENCE,
        "ALLOWED_CLIENT_IDS": "",
        "ACCEPT_ANY_AUDIENCE": "",
        "WEBHOOK_SECRETS": SECRET,
        "WEBHOOK_API_KEYS": "",
        "INBOX_DATABASE_URL": "",
    }
