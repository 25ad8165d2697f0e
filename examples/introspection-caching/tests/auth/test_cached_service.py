"""The service with its cache, as callers see it."""

import pytest
from starlette.testclient import TestClient

from app.auth import fresh_bearer
from dev.provider import Provider
from tests.callers import Clock, bearer
from tests.conftest import IssueToken, Start


def status(client: TestClient, token: str, path: str = "/probe") -> int:
    return client.get(path, headers=bearer(token)).status_code


def test_scopes_are_checked_on_a_hit(client: TestClient, token: IssueToken) -> None:
    """What is cached is the provider's result, not that a request was accepted."""
    reader = token(("read",))

    assert [status(client, reader), status(client, reader, "/probe/notes/a")] == [200, 403]


TIMES = {"before exp": (2.9, 200), "at exp": (3, 401), "before iat": (-5, 401)}


@pytest.mark.parametrize(("later", "expected"), TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("is_cached", [True, False])
def test_policy_is_checked_on_a_hit(
    start: Start, token: IssueToken, clock: Clock, is_cached: bool, later: float, expected: int
) -> None:
    client, short = start(CLOCK_LEEWAY="0"), token(lifetime=3)
    if is_cached:
        assert status(client, short) == 200
    clock.now += later

    assert status(client, short) == expected


@pytest.mark.parametrize("url", ["memory://", "redis://127.0.0.1:9"], ids=["memory", "no Redis"])
def test_cached_token_needs_no_provider(
    start: Start, provider: Provider, token: IssueToken, url: str
) -> None:
    client, good = start(CACHE_URL=url), token()
    before = status(client, good)
    provider.outage = True

    assert [before, status(client, good)] == [200, 200]


def test_fresh_bearer_allows_no_age() -> None:
    assert fresh_bearer.max_age == 0
