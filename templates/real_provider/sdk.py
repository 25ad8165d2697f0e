"""The service as a process, beside the local provider, which is one too."""

from collections.abc import Iterator

import httpx
import pytest

from dev.environment import Endpoints
from dev.processes import free_ports, provider_command, running, wait_until_up
from tests.end_to_end.machines import Machine, machine, service


@pytest.fixture(scope="module")
def endpoints() -> Iterator[Endpoints]:
    """Return where the provider listens."""
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
