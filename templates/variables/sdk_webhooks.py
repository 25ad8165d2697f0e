"""What the service is told about the provider: the variables of its environment."""

from dev.clients import AUDIENCE, SERVICE
from dev.environment import Endpoints
from dev.signing import SECRET


def service_settings(provider: Endpoints) -> dict[str, str]:
    """Return the variables that let the service ask `provider` and take events."""
    return {
        "AVNOLOGY_BASE_URL": provider.public,
        "AVNOLOGY_CLIENT_ID": SERVICE.client_id,
        "AVNOLOGY_CLIENT_SECRET": SERVICE.client_secret,
        "AVNOLOGY_API_KEY": "",
        "AVNOLOGY_ISSUER": provider.issuer,
        "AUDIENCE": AUDIENCE,
        "ALLOWED_CLIENT_IDS": "",
        "ACCEPT_ANY_AUDIENCE": "",
        "WEBHOOK_SECRETS": SECRET,
        "INBOX_DATABASE_URL": "",
    }
