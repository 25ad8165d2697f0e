"""A server that others wrote changes its keys while many call the service.

The service fetches keys in use again after eight minutes. No test waits for that: the clock of the
service goes faster.
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
"""Seconds of the service until tokens may cause one more fetch."""
PATIENCE = 10
"""Seconds that a test waits. Slow clocks reach eight minutes later, so no key comes by its age."""
FETCHED = r"keys replaced usable=(\d+)\n"

once = pytest.mark.parametrize("server", ["rotation-RS256"], indirect=True)
"""What does not depend on the algorithm."""

StartHurried = Callable[[int], AbstractContextManager[Service]]
"""Starts the service with a clock on which so many seconds pass in one."""

FIRST, SECOND, THIRD = ("rsa-1", "ec-1"), ("rsa-2", "ec-2"), ("rsa-3", "ec-3")
"""The keys that sign, one of each kind. Keys that the service cannot use are published too."""


class Call(NamedTuple):
    """One call of the service. Times are those of a clock that only goes forward."""

    token: str
    begun: float
    ended: float
    status: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """Callers who call with every token again and again, and what came of it."""

    caller: Service
    tokens: list[str]
    calls: list[Call] = field(default_factory=list)
    over: Event = field(default_factory=Event)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Call as long as the block lasts. A call without an answer fails the test."""
        with ThreadPoolExecutor(THREADS) as pool:
            callers = [pool.submit(self._call) for _ in range(THREADS)]
            try:
                yield
            finally:
                self.over.set()
        for each in callers:
            each.result()

    def join(self, token: str) -> None:
        """Call with this token too, until it has been accepted and for some time more."""
        self.tokens.append(token)
        self.wait(lambda: self.accepted_at(token) < float("inf"))
        self.go_on()

    def go_on(self, calls: int = 100) -> None:
        """Wait until there were so many more calls."""
        enough = len(self.calls) + calls
        self.wait(lambda: len(self.calls) >= enough)

    def wait(self, reached: Callable[[], bool]) -> None:
        """Wait for what the callers are about to reach."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < deadline, self.statuses()
            time.sleep(0.01)

    def accepted_at(self, token: str) -> float:
        """Return when a token was accepted for the first time: never is infinity."""
        ends = [call.ended for call in self.calls if (call.token, call.status) == (token, 200)]
        return min(ends, default=float("inf"))

    def statuses(self, *tokens: str, since: float = 0) -> set[int]:
        """Return what calls brought, with some tokens or with all, that began after a moment."""
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
    """Return a server of the test's own, with JWTs of one algorithm and the first keys."""
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
    """Two within ten seconds, the first right after the start, with junk key ids in between."""
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
def test_an_announced_rotation_refuses_nobody(
    server: OidcProvider, start_service: StartHurried
) -> None:
    """A key that is published before it signs is known when its first token comes."""
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
    """Its tokens end with the next set of keys, and however many there are cause few fetches."""
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
def test_keys_that_all_are_of_another_kind_are_named(
    server: OidcProvider, start_service: StartHurried
) -> None:
    """Such a service is not ready, and says what its operator has to change."""
    token = server.machine_token()
    server.publish("ed25519-1")
    with start_service(HALF_A_MINUTE_A_SECOND) as caller:
        ready = caller.http.get("/health/ready")
        response = caller.get(token)

    assert_unavailable(response)
    assert ready.status_code == 503
    assert "EdDSA is not supported" in ready.text


def with_key_id(token: str, key_id: str) -> str:
    """Return a token that names another key, so that its signature is wrong."""
    header = base64.urlsafe_b64encode(
        json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": key_id}).encode()
    )
    _, payload, signature = token.split(".")
    return ".".join((header.decode().rstrip("="), payload, signature))


def fetched(caller: Service) -> list[int]:
    """Return how many keys could be used after the fetches: each number once, in their order."""
    return [int(usable) for usable in dict.fromkeys(re.findall(FETCHED, caller.process.output()))]
