"""Key rotation at a real server of another project, under load.

The service refreshes its keys after eight minutes. To avoid the wait, its clock is accelerated.
"""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import NamedTuple

import pytest

from tests.project import Bake, Project
from tests.servers import oidc_provider, service
from tests.servers.assertions import assert_unavailable, skip_where
from tests.servers.oidc_provider import OidcProvider
from tests.servers.service import NO_FEATURES, Service

THREADS = 4
HALF_A_MINUTE_A_SECOND = 30
TEN_MINUTES_A_SECOND = 600
MAX_FETCHES = 5
FETCH_INTERVAL = 10
"""Seconds, on the clock of the service, until tokens may cause another fetch."""
PATIENCE = 10
"""Seconds that a test waits. Too short for a refresh after eight minutes on the slower clocks."""
FETCHED = r"keys replaced usable=(\d+)\b"

once = pytest.mark.parametrize("server", ["rotation-RS256"], indirect=True)
"""For tests that do not depend on the algorithm."""

StartHurried = Callable[[int], AbstractContextManager[Service]]
"""Starts the service with a clock that is so many times as fast."""

FIRST, SECOND, THIRD = ("rsa-1", "ec-1"), ("rsa-2", "ec-2"), ("rsa-3", "ec-3")
"""Signing keys, one of each kind. Keys that the service cannot use are published too."""


class Call(NamedTuple):
    """One call of the service. Times are monotonic."""

    token: str
    begun: float
    ended: float
    status: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """Threads that call with every token repeatedly, and the results."""

    caller: Service
    tokens: list[str]
    calls: list[Call] = field(default_factory=list)
    over: Event = field(default_factory=Event)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Call as long as the block lasts. A call without a response fails the test."""
        with ThreadPoolExecutor(THREADS) as pool:
            callers = [pool.submit(self._call) for _ in range(THREADS)]
            try:
                yield
            finally:
                self.over.set()
        for each in callers:
            each.result()

    def join(self, token: str) -> None:
        """Add a token, and wait until it is accepted and for some calls after that."""
        self.tokens.append(token)
        self.wait(lambda: self.accepted_at(token) < float("inf"))
        self.go_on()

    def go_on(self, calls: int = 100) -> None:
        """Wait for that many more calls."""
        enough = len(self.calls) + calls
        self.wait(lambda: len(self.calls) >= enough)

    def wait(self, reached: Callable[[], bool]) -> None:
        """Wait until the condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < deadline, self.statuses()
            time.sleep(0.01)

    def accepted_at(self, token: str) -> float:
        """Return when a token was first accepted, infinity if it was not."""
        ends = [call.ended for call in self.calls if (call.token, call.status) == (token, 200)]
        return min(ends, default=float("inf"))

    def statuses(self, *tokens: str, since: float = 0) -> set[int]:
        """Return the statuses of calls that began after `since`, with some tokens or with all."""
        return {
            call.status
            for call in self.calls
            if call.begun > since and (call.token in tokens or not tokens)
        }

    def _call(self) -> None:
        while not self.over.is_set():
            for token in list(self.tokens):
                begun = time.monotonic()
                status = self.caller.get(token).status_code
                self.calls.append(Call(token, begun, time.monotonic(), status))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the server is installed."""
    skip_where(oidc_provider.missing())
    folder = tmp_path_factory.mktemp("installed") / "oidc-provider"
    oidc_provider.install(folder)
    return folder


@pytest.fixture(params=["rotation-RS256", "rotation-ES256"])
def server(
    installed: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[OidcProvider]:
    """Run a server for one test, with JWTs of one algorithm and the first keys."""
    algorithm = request.param.removeprefix("rotation-")
    folder = tmp_path / "server"
    folder.mkdir()
    with oidc_provider.start(installed, folder, algorithm) as running:
        running.publish(*FIRST, "ed25519-1")
        yield running


@pytest.fixture(scope="module")
def project(bake: Bake) -> Project:
    """Return the rendered service."""
    return bake(validation_mode="jwt", **NO_FEATURES)


@pytest.fixture
def start_service(project: Project, server: OidcProvider, tmp_path: Path) -> StartHurried:
    """Return how the service is started with a faster clock."""

    def start(speed: int) -> AbstractContextManager[Service]:
        folder = tmp_path / "service"
        folder.mkdir()
        return service.start(project, folder, service.jwt_settings(server), speed)

    return start


def test_rotations_refuse_no_valid_token(server: OidcProvider, start_service: StartHurried) -> None:
    """Two rotations within ten seconds, the first right after the start, with junk key ids."""
    old = server.machine_token()
    with start_service(1) as caller:
        traffic = Traffic(caller, [old])
        with traffic.flowing():
            traffic.go_on()
            assert caller.get(with_key_id(old, "junk-1")).status_code == 401
            server.publish(*SECOND, *FIRST, "ed25519-1")
            traffic.join(server.machine_token())
            assert caller.get(with_key_id(old, "junk-2")).status_code == 401
            server.publish(*THIRD, *SECOND, *FIRST, "ed25519-1")
            traffic.join(server.machine_token())

    assert fetched(caller) == [2, 4, 6]
    assert traffic.statuses() == {200}


@once
def test_an_announced_rotation_refuses_no_token(
    server: OidcProvider, start_service: StartHurried
) -> None:
    """A key that is published before it signs is fetched before its first token arrives."""
    old = server.machine_token()
    with start_service(TEN_MINUTES_A_SECOND) as caller:
        traffic = Traffic(caller, [old])
        with traffic.flowing():
            traffic.go_on()
            server.publish(*FIRST, *SECOND)
            traffic.wait(lambda: fetched(caller) == [2, 4])
            server.publish(*SECOND, *FIRST)
            traffic.join(server.machine_token())

    assert traffic.statuses() == {200}


@once
def test_a_withdrawn_key_no_longer_counts(
    server: OidcProvider, start_service: StartHurried
) -> None:
    """Its tokens are refused after the next fetch, and any number of them causes few fetches."""
    old = server.machine_token()
    begun = time.monotonic()
    with start_service(HALF_A_MINUTE_A_SECOND) as caller:
        traffic = Traffic(caller, [old])
        with traffic.flowing():
            traffic.go_on()
            server.publish(*SECOND, "ed25519-2")
            traffic.join(new := server.machine_token())
    refilled = (time.monotonic() - begun) * HALF_A_MINUTE_A_SECOND / FETCH_INTERVAL
    withdrawn = traffic.accepted_at(new)

    assert traffic.statuses(old, since=withdrawn) == {401}
    assert traffic.statuses(new, since=withdrawn) == {200}
    assert traffic.statuses() == {200, 401}
    assert caller.reason(old) == "signature"
    assert len(re.findall(FETCHED, caller.process.output())) <= 1 + MAX_FETCHES + refilled


@once
def test_unusable_keys_are_named(server: OidcProvider, start_service: StartHurried) -> None:
    """The service is not ready, and its log says what its operator has to change."""
    token = server.machine_token()
    server.publish("ed25519-1")
    with start_service(HALF_A_MINUTE_A_SECOND) as caller:
        ready = caller.http.get("/health/ready")
        response = caller.get(token)

    assert_unavailable(response)
    assert ready.status_code == 503
    assert "EdDSA is not supported" in caller.process.output()


def with_key_id(token: str, key_id: str) -> str:
    """Return a token that names another key. Its signature is invalid."""
    header = base64.urlsafe_b64encode(
        json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": key_id}).encode()
    )
    _, payload, signature = token.split(".")
    return ".".join((header.decode().rstrip("="), payload, signature))


def fetched(caller: Service) -> list[int]:
    """Return the numbers of usable keys after the fetches: each once, in order."""
    return [int(usable) for usable in dict.fromkeys(re.findall(FETCHED, caller.process.output()))]
