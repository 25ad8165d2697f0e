"""The service as the tests see it: the real application, with the local identity provider."""

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir
from typing import Any, Protocol, TypeVar

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck
from hypothesis import settings as property_tests
from starlette.testclient import TestClient

from app.environment import FeatureSettings, InvalidSettings
from app.settings import Settings
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


Kind = TypeVar("Kind", bound=FeatureSettings)


def read_settings(kind: type[Kind], **variables: str) -> Kind:
    """Read settings from `variables` on top of `ENVIRON`, not from the environment of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {**ENVIRON, **variables})
        return kind.read()


def problems(kind: type[FeatureSettings], **variables: str) -> list[str]:
    """Return the sentences about wrong variables."""
    with pytest.raises(InvalidSettings) as refusal:
        read_settings(kind, **variables)
    return str(refusal.value).splitlines()


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
        # It makes `app` from the environment when it is imported.
        with pytest.MonkeyPatch.context() as environment:
            for name, value in ENVIRON.items():
                environment.setenv(name, value)
            importlib.import_module("app.main")
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
            from app.main import create_app

            settings = read_settings(Settings, **variables)
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
