"""What an orchestrator learns, and what its asking costs the provider."""

import asyncio

import pytest
from starlette.testclient import TestClient

from app.auth.errors import ProviderUnavailable
from app.health import TTL, Readiness
from dev.provider import Provider
from tests.callers import Clock
from tests.conftest import Start


def test_live_makes_no_call(client: TestClient, provider: Provider) -> None:
    provider.outage = True
    before = provider.calls
    response = client.get("/health/live")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert provider.calls == before


def test_ready_while_the_provider_answers(client: TestClient) -> None:
    response = client.get("/health/ready")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_not_ready_while_the_provider_is_down(start: Start, provider: Provider) -> None:
    provider.outage = True
    response = start().get("/health/ready")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "missing": ["identity provider"]}


def test_not_ready_while_the_provider_hangs(start: Start, provider: Provider) -> None:
    """A probe is answered within a second, however long a call may take otherwise."""
    provider.delay = 30
    response = start(IDP_TIMEOUT="0.05").get("/health/ready")

    assert response.status_code == 503


def test_probing_does_not_load_the_provider(client: TestClient, provider: Provider) -> None:
    client.get("/health/ready")
    before = provider.calls
    for _ in range(20):
        client.get("/health/ready")

    assert provider.calls == before


@pytest.mark.anyio
async def test_an_outcome_is_kept_for_a_moment() -> None:
    clock = Clock()
    asked = 0

    async def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ProviderUnavailable("timeout")

    readiness = Readiness({"identity provider": check}, clock)
    first = [await readiness.missing(), await readiness.missing()]
    clock.now += TTL
    second = await readiness.missing()

    assert first == [["identity provider"], ["identity provider"]]
    assert second == []
    assert asked == 2


@pytest.mark.anyio
async def test_probes_at_the_same_time_share_one_check() -> None:
    asked = 0

    async def check() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)

    readiness = Readiness({"identity provider": check})
    outcomes = await asyncio.gather(*(readiness.missing() for _ in range(10)))

    assert outcomes == [[]] * 10
    assert asked == 1


@pytest.mark.anyio
async def test_a_check_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.health.TIME_LIMIT", 0.01)

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def passes() -> None:
        return

    readiness = Readiness({"identity provider": hangs, "clock": passes})

    assert await readiness.missing() == ["identity provider"]


@pytest.mark.anyio
async def test_a_check_that_hangs_costs_the_bound_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the check itself would wait for, and come to later."""
    monkeypatch.setattr("app.health.TIME_LIMIT", 0.01)

    async def late() -> None:
        await asyncio.sleep(1)

    assert await Readiness({"a": late, "b": late}).missing() == ["a", "b"]
