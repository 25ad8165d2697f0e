"""The local provider's address and clients, and the settings of a service that uses it."""

HOST = "127.0.0.1"
PROVIDER_PORT = 3102
AUDIENCE = "https://widgets.example"
CLIENTS = {
    "reader": "read:widgets",
    "writer": "read:widgets write:widgets",
    "service": "admin:users:read admin:permissions:read",
}
"""The scopes of each client. Its secret is its id with `-secret` at the end."""


def issuer(provider_port: int = PROVIDER_PORT) -> str:
    """Return the issuer of the local provider's tokens."""
    return f"http://localhost:{provider_port}"


def service_settings(provider_port: int = PROVIDER_PORT) -> dict[str, str]:
    """Return the variables of a service beside the provider. A space unsets what `.env` has."""
    return {
        "AVNOLOGY_BASE_URL": f"http://{HOST}:{provider_port}",
        "AVNOLOGY_CLIENT_ID": "service",
        "AVNOLOGY_CLIENT_SECRET": "service-secret",
        "AVNOLOGY_API_KEY": " ",
        "AVNOLOGY_ISSUER": issuer(provider_port),
        "AUDIENCE": AUDIENCE,
        "ALLOWED_CLIENT_IDS": " ",
        "ACCEPT_ANY_AUDIENCE": " ",
        "WEBHOOK_SECRETS": "whsec_of_the_local_provider_0123456789",
        "INBOX_DATABASE_URL": " ",
    }
