"""Where the provider listens, and what a process that is started sees of this machine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"
PUBLIC_PORT = 3102
ADMIN_PORT = 3103


def issuer_of(public_port: int) -> str:
    """Return the name of a local provider in its tokens."""
    return f"http://localhost:{public_port}"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider listens, two addresses without a path, and what it calls itself."""

    public: str
    admin: str
    issuer: str

    @classmethod
    def local(cls, public_port: int, admin_port: int) -> "Endpoints":
        """Return the endpoints of a local provider."""
        return cls(
            f"http://{HOST}:{public_port}",
            f"http://{HOST}:{admin_port}",
            issuer_of(public_port),
        )


def bare_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return an environment of `variables`, and nothing else that is set on this machine."""
    return {"PATH": os.environ.get("PATH", os.defpath), **variables}
