"""The service as a process, beside a provider that is one too: the local one, or a real Hydra.

Set `HYDRA_PUBLIC_URL` and `HYDRA_ADMIN_URL` for the latter. The suite registers clients of its own
there, and deletes them.
"""

import os
from collections.abc import Iterator

import httpx
import pytest

from dev.environment import Endpoints
from dev.processes import free_ports, provider_command, running, wait_until_up
from tests.end_to_end.machines import Machine, machine, service

HYDRA = [os.environ.get(f"HYDRA_{name}_URL", "").rstrip("/") for name in ("PUBLIC", "ADMIN")]
NO_HYDRA = pytest.mark.skip("no real Hydra: HYDRA_PUBLIC_URL and HYDRA_ADMIN_URL are not set")


@pytest.fixture(
    scope="module",
    params=["dev", pytest.param("hydra", marks=() if all(HYDRA) else NO_HYDRA)],
)
def endpoints(request: pytest.FixtureRequest) -> Iterator[Endpoints]:
    """Return where the provider listens."""
    if request.param == "hydra":
        discovery = httpx.get(f"{HYDRA[0]}/.well-known/openid-configuration", trust_env=False)
        yield Endpoints(HYDRA[0], HYDRA[1], discovery.json()["issuer"])
        return
    public_port, admin_port = free_ports(2)
    local = Endpoints.local(public_port, admin_port)
    with running(provider_command(public_port, admin_port)) as process:
        wait_until_up(process, f"{local.public}/health/ready")
        yield local


@pytest.fixture(scope="module")
def caller(
    endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """Return a caller of the running service."""
    with service(endpoints, tmp_path_factory.mktemp("service")) as running_service:
        yield running_service


@pytest.fixture
def registered(endpoints: Endpoints) -> Iterator[Machine]:
    """Return a machine whose tokens live as long as the provider lets them."""
    with machine(endpoints) as client:
        yield client
