"""What Prometheus scrapes."""

import httpx
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from dev.provider import Provider
from tests.callers import bearer
from tests.conftest import IssueToken, Start
from tests.ports import free_ports


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


def test_requests_and_refusals_are_counted(client: TestClient) -> None:
    labels = {"method": "GET", "route": "/probe", "status": "401"}
    requests = value("http_requests_total", **labels)
    refusals = value("auth_refusals_total", reason="no_header")
    client.get("/probe?secret")

    assert value("http_requests_total", **labels) == requests + 1
    assert value("auth_refusals_total", reason="no_header") == refusals + 1


def test_provider_calls_are_counted(start: Start, provider: Provider, token: IssueToken) -> None:
    good, bad = ({"outcome": outcome} for outcome in ("ok", "status_503"))
    before = [value("provider_calls_total", **labels) for labels in (good, bad)]
    start().get("/probe", headers=bearer(token()))
    provider.outage = True
    start().get("/probe", headers=bearer(token()))

    assert value("provider_calls_total", **good) > before[0]
    assert value("provider_calls_total", **bad) > before[1]


def test_metrics_have_a_port_of_their_own(start: Start) -> None:
    (port,) = free_ports(1)
    client = start(METRICS_PORT=str(port))

    assert "http_requests_total" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert client.get("/metrics").status_code == 404
