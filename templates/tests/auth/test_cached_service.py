"""The service with its cache: what callers see, and what the log says."""

import httpx
import pytest
from starlette.testclient import TestClient

from app.settings import Settings
from dev.provider import Provider
from tests.callers import Clock, bearer
from tests.conftest import IssueToken, Start, read_settings

WRITE = ("write:widgets",)


def status(client: TestClient, token: str) -> int:
    return client.get("/probe", headers=bearer(token)).status_code


def test_scopes_are_checked_on_a_hit(client: TestClient, token: IssueToken) -> None:
    """What is cached is the provider's result, not that a request was accepted."""
    reader = bearer(token(scopes=("read:widgets",)))
    read = client.get("/probe", headers=reader)
    written = client.post("/probe", headers=reader, json={"text": "lever"})

    assert [read.status_code, written.status_code] == [200, 403]
    assert written.headers["www-authenticate"].endswith('scope="write:widgets"')


@pytest.mark.parametrize("is_cached", [True, False])
def test_token_ends_at_its_expiry(
    start: Start, token: IssueToken, clock: Clock, is_cached: bool
) -> None:
    client = start(CLOCK_LEEWAY="0")
    short = token(lifetime=3)
    if is_cached:
        assert status(client, short) == 200
    clock.now += 2.9
    before = status(client, short)
    clock.now += 0.1

    assert [before, status(client, short)] == [200, 401]


def test_policy_is_checked_on_a_hit(start: Start, token: IssueToken, clock: Clock) -> None:
    """After the clock was set back, the cached token is not valid yet."""
    client = start(CLOCK_LEEWAY="0")
    good = token()
    before = status(client, good)
    clock.now -= 5

    assert [before, status(client, good)] == [200, 401]


def test_cached_token_needs_no_provider(
    client: TestClient, provider: Provider, token: IssueToken
) -> None:
    good = token()
    before = status(client, good)
    provider.outage = True

    assert [before, status(client, good)] == [200, 200]


def test_end_logs_the_counts(
    provider: Provider, clock: Clock, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    """Deleting bypasses the cache. No token and no subject is in the log."""
    from app.main import create_app

    writer = token(scopes=WRITE, subject="anna")
    settings, wire = read_settings(Settings), httpx.ASGITransport(provider)
    with TestClient(create_app(settings, transport=wire, clock=clock)) as client:
        client.post("/probe", headers=bearer(writer), json={"text": "lever"})
        deletions = [client.delete("/probe", headers=bearer(writer)) for _ in range(2)]
        status(client, writer)
    written = capsys.readouterr().err

    assert [each.status_code for each in deletions] == [204, 204]
    assert "cache in memory: each process has its own" in written
    assert "cache misses=1 bypassed=2 hits=1" in written
    assert "anna" not in written
    assert writer not in written


URLS = {
    "redis://cache.example.com": 1,
    "rediss://cache.example.com": 0,
    "redis://10.0.0.7": 0,
}


@pytest.mark.parametrize(("url", "warnings"), URLS.items())
def test_public_redis_without_tls_is_a_warning(
    start: Start, capsys: pytest.CaptureFixture[str], url: str, warnings: int
) -> None:
    start(CACHE_URL=url)

    assert capsys.readouterr().err.count("set CACHE_URL to rediss://") == warnings
