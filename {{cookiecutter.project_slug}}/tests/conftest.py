"""The service as the tests see it: the real application, with the local identity provider."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir
from typing import Any, Protocol

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck
from hypothesis import settings as property_tests
from starlette.testclient import TestClient

from app.service import create_app
from app.services import AppSettings
from dev.environment import service_settings
from dev.provider import Provider
from tests.callers import Clock

ENVIRON = {**service_settings(), "IDP_TIMEOUT": "30"}
"""What the service is started with: the local provider's addresses, and time on a busy machine."""
# The same examples at every run. The first one takes long, as tables of Unicode are built for it.
property_tests.register_profile(
    "service", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
property_tests.load_profile("service")


class IssueToken(Protocol):
    """Issues a token at the local provider. Further arguments become claims of its answer."""

    def __call__(
        self, scopes: tuple[str, ...] = (), subject: str | None = None, **claims: Any
    ) -> str: ...


class Start(Protocol):
    """Starts the service. Variables come on top of `ENVIRON`; `transport` replaces the provider.

    `prepare` may add routes to the application before it starts.
    """

    def __call__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        prepare: Callable[[FastAPI], None] | None = None,
        **variables: str,
    ) -> TestClient: ...


@pytest.fixture(scope="session", autouse=True)
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run in a folder of the tests' own: nothing of yours is read there, and nothing written."""
    with chdir(tmp_path_factory.mktemp("service")):
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> Provider:
    return Provider(clock=clock)


@pytest.fixture
def start(provider: Provider, clock: Clock) -> Iterator[Start]:
    with ExitStack() as running:

        def start(
            transport: httpx.AsyncBaseTransport | None = None,
            prepare: Callable[[FastAPI], None] | None = None,
            **variables: str,
        ) -> TestClient:
            settings = AppSettings.read({**ENVIRON, **variables})
            wire = transport or httpx.ASGITransport(provider)
            app = create_app(settings, transport=wire, clock=clock)
            if prepare is not None:
                prepare(app)
            return running.enter_context(TestClient(app))

        yield start


@pytest.fixture
def client(start: Start) -> TestClient:
    """Return a caller of the running service."""
    return start()


@pytest.fixture
def token(provider: Provider) -> IssueToken:
    """Return how your tests get a token: `token(scopes=("read:widgets",), subject="anna")`."""

    def issue(scopes: tuple[str, ...] = (), subject: str | None = None, **claims: Any) -> str:
        return provider.issue(scopes=scopes, subject=subject, **claims)

    return issue


@pytest.fixture
def answer(start: Start) -> Callable[..., TestClient]:
    """Start the service beside a provider that answers every question the same way."""

    def start_beside(response: httpx.Response | Mapping[str, object]) -> TestClient:
        def handler(_: httpx.Request) -> httpx.Response:
            if isinstance(response, httpx.Response):
                return response
            return httpx.Response(200, json=response)

        return start(httpx.MockTransport(handler))

    return start_beside
