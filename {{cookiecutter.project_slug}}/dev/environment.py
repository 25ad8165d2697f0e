"""What the service has to know about the provider: addresses, and the variables that say them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from dev.clients import AUDIENCE
from dev.tokens import QUESTION

HOST = "127.0.0.1"
PUBLIC_PORT = 3102
ADMIN_PORT = 3103


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider listens: two addresses without a path."""

    public: str
    admin: str

    @classmethod
    def local(cls, public_port: int, admin_port: int) -> "Endpoints":
        """Return the endpoints of a local provider."""
        return cls(f"http://{HOST}:{public_port}", f"http://{HOST}:{admin_port}")


def service_settings(provider: Endpoints) -> dict[str, str]:
    """Return the variables that let the service ask `provider`. Blank ones count as unset."""
    return {
        "HYDRA_INTROSPECT_URL": provider.admin + "/admin" + QUESTION,
        "HYDRA_ADMIN_USER": "",
        "HYDRA_ADMIN_PASS": "",
        "OLYMPUS_ISSUER": "",
        "AUDIENCE": AUDIENCE,
        "ALLOWED_CLIENT_IDS": "",
        "ACCEPT_ANY_AUDIENCE": "",
    }


def bare_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return an environment of `variables`, and nothing else that is set on this machine."""
    return {"PATH": os.environ.get("PATH", os.defpath), **variables}
