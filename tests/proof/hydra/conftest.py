"""A real Hydra, a service beside it, and a client that is registered there."""

import os
from collections.abc import Iterator

import httpx
import pytest

from tests.hydra.machines import Endpoints, Machine, machine, service

URLS = [os.environ.get(f"HYDRA_{name}_URL", "").rstrip("/") for name in ("PUBLIC", "ADMIN")]


@pytest.fixture(scope="module")
def endpoints() -> Endpoints:
    """Return where the provider listens."""
    if not all(URLS):
        pytest.skip("no real Hydra: HYDRA_PUBLIC_URL and HYDRA_ADMIN_URL are not set")
    discovery = httpx.get(f"{URLS[0]}/.well-known/openid-configuration", trust_env=False)
    return Endpoints(URLS[0], URLS[1], discovery.json()["issuer"])


@pytest.fixture(scope="module")
def caller(
    endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """Return a caller of the running service."""
    with service(endpoints, tmp_path_factory.mktemp("service")) as running_service:
        yield running_service


@pytest.fixture
def registered(endpoints: Endpoints) -> Iterator[Machine]:
    """Return a machine whose tokens have the provider's default lifetime."""
    with machine(endpoints) as client:
        yield client
