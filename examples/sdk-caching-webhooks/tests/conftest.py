"""The service as the tests see it: the real application beside the local identity provider.

For your own tests: `client`, `token`, `as_user` and `as_machine`.
"""

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, chdir
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app import extensions
from app.environment import FeatureSettings, InvalidSettings
from app.settings import Settings
from dev.environment import service_settings
from dev.provider import Provider
from tests import probe
from tests.callers import Clock, bearer
from tests.routes import VARIABLES

ENVIRON = {**service_settings(), "IDP_TIMEOUT": "30", **VARIABLES}
"""The variables of the service. On a busy machine no call may time out by accident."""

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


@dataclass(frozen=True)
class IssueToken:
    """Issues tokens of the local provider. Further arguments become claims, as they are."""

    provider: Provider

    def __call__(
        self, scopes: Sequence[str] = (), subject: str | None = None, **claims: Any
    ) -> str:
        return self.provider.issue(scopes=scopes, subject=subject, **claims)


@dataclass(frozen=True)
class CallAs:
    """Makes clients of the running service that send a token with each request."""

    client: TestClient
    token: IssueToken
    argument: str
    """The argument of `Provider.issue` that names the caller."""

    def __call__(self, name: str, scopes: Sequence[str] = (), **claims: Any) -> TestClient:
        good = self.token(scopes, **{self.argument: name}, **claims)
        caller = TestClient(self.client.app, headers=bearer(good))
        # What the lifespan opened, and the event loop that it belongs to.
        caller.app_state.update(self.client.app_state)
        caller.portal = self.client.portal
        return caller


@dataclass(frozen=True)
class Start:
    """Starts services beside the local provider."""

    provider: Provider
    clock: Clock
    running: ExitStack

    def __call__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        prepare: Callable[[FastAPI], None] | None = None,
        **variables: str,
    ) -> TestClient:
        """Start one. Variables come on top of `ENVIRON`, `transport` replaces the provider.

        `prepare` may add routes to the application before it starts.
        """
        from app.main import create_app

        settings = read_settings(Settings, **variables)
        wire = transport or httpx.ASGITransport(self.provider)
        app = create_app(settings, transport=wire, clock=self.clock)
        if prepare is not None:
            prepare(app)
        return self.running.enter_context(TestClient(app))


@pytest.fixture(scope="session", autouse=True)
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run in a folder of the tests' own: nothing of yours is read there, and nothing written."""
    with chdir(tmp_path_factory.mktemp("service")):
        # Importing it makes `app` from the environment.
        with pytest.MonkeyPatch.context() as environment:
            for name, value in ENVIRON.items():
                environment.setenv(name, value)
            importlib.import_module("app.main")
        yield


@pytest.fixture(autouse=True)
def probe_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "routers", [*extensions.routers, probe.router])


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
        yield Start(provider, clock, running)


@pytest.fixture
def client(start: Start) -> TestClient:
    """Return a client of the running service that sends no token."""
    return start()


@pytest.fixture
def token(provider: Provider) -> IssueToken:
    """Issue a token: `token(["read:orders"], subject="anna")`, without `subject` a machine's."""
    return IssueToken(provider)


@pytest.fixture
def as_user(client: TestClient, token: IssueToken) -> CallAs:
    """Call the service as a user: `as_user("anna", scopes=["read:orders"]).get("/orders")`."""
    return CallAs(client, token, "subject")


@pytest.fixture
def as_machine(client: TestClient, token: IssueToken) -> CallAs:
    """Call the service as a client without a user: `as_machine("batch", scopes=["run:jobs"])`."""
    return CallAs(client, token, "client_id")
