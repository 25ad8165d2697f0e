"""What identifies a cache entry."""

from typing import Any

import pytest

from tests.auth.cached import FakeRedis, cached

pytestmark = pytest.mark.anyio
OTHERS = {
    "another issuer": {"OLYMPUS_ISSUER": "https://other.example.com"},
    "other keys": {"OLYMPUS_JWKS_URL": "https://other.example.com/keys"},
    "other algorithms": {"JWT_ALGORITHMS": "ES256"},
}


@pytest.mark.parametrize("variables", OTHERS.values(), ids=OTHERS)
async def test_settings_keep_entries_apart(variables: Any) -> None:
    """Another issuer or key may not accept the token."""
    redis = FakeRedis()
    ours, others = cached(redis=redis), cached(redis=redis, **variables)
    await ours.look_up()
    await others.look_up()

    assert others.source.calls == ["good"]


async def test_every_spelling_has_an_entry() -> None:
    known = cached()

    assert [await known.look_up("good"), await known.look_up("at_good")] == ["anna", "inactive"]
