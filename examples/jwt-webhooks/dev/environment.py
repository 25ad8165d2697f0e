"""The local provider's address and clients, and the settings of a service that uses it."""

HOST = "127.0.0.1"
PROVIDER_PORT = 3102
AUDIENCE = "https://widgets.example"
KEYS = "/.well-known/jwks.json"
CLIENTS = {
    "reader": "read:widgets",
    "writer": "read:widgets write:widgets",
}
"""The scopes of each client. Its secret is its id with `-secret` at the end."""


def issuer(provider_port: int = PROVIDER_PORT) -> str:
    """Return the issuer of the local provider's tokens."""
    return f"http://localhost:{provider_port}"


def service_settings(provider_port: int = PROVIDER_PORT) -> dict[str, str]:
    """Return the variables of a service beside the provider. A space unsets what `.env` has."""
    return {
        "OLYMPUS_ISSUER": issuer(provider_port),
        "OLYMPUS_JWKS_URL": f"http://{HOST}:{provider_port}{KEYS}",
        "AUDIENCE": AUDIENCE,
        "ALLOWED_CLIENT_IDS": " ",
        "ACCEPT_ANY_AUDIENCE": " ",
        "WEBHOOK_SECRETS": "whsec_of_the_local_provider_0123456789",
        "WEBHOOK_API_KEYS": " ",
        "INBOX_DATABASE_URL": " ",
    }
