"""What an orchestrator learns, and what its probes cost the provider."""

import asyncio

import pytest
from starlette.testclient import TestClient

from app.auth.errors import ProviderUnavailable
from app.health import TTL, Readiness
from dev.provider import Provider
from tests.callers import Clock
from tests.conftest import Start

OK = (200, {"status": "ok"})


def test_live_makes_no_call(client: TestClient, provider: Provider) -> None:
    provider.outage = True
    before = provider.calls
    response = client.get("/health/live")

    assert (response.status_code, response.json()) == OK
    assert provider.calls == before


def test_ready(client: TestClient, provider: Provider) -> None:
    """Further probes do not load the provider."""
    responses = [client.get("/health/ready")]
    before = provider.calls
    responses += [client.get("/health/ready") for _ in range(5)]

    assert [(each.status_code, each.json()) for each in responses] == [OK] * 6
    assert provider.calls == before


@pytest.mark.parametrize(("outage", "delay"), [(True, 0), (False, 30)], ids=["down", "hangs"])
def test_not_ready(start: Start, provider: Provider, outage: bool, delay: float) -> None:
    provider.outage, provider.delay = outage, delay
    response = start(IDP_TIMEOUT="0.05").get("/health/ready")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "missing": ["identity provider"]}


@pytest.mark.anyio
async def test_outcome_is_shared_for_a_moment() -> None:
    clock, calls = Clock(), 0

    async def check() -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        if calls == 1:
            raise ProviderUnavailable("timeout")

    readiness = Readiness({"identity provider": check}, clock)
    concurrent = await asyncio.gather(*(readiness.missing() for _ in range(10)))
    later = await readiness.missing()
    clock.now += TTL

    assert [*concurrent, later] == [["identity provider"]] * 11
    assert await readiness.missing() == []
    assert calls == 2


@pytest.mark.anyio
async def test_check_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """All checks get the same second, however long they would take."""
    monkeypatch.setattr("app.health.TIME_LIMIT", 0.01)

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def passes() -> None:
        return

    assert await Readiness({"a": hangs, "b": passes, "c": hangs}).missing() == ["a", "c"]
