"""What identifies a cache entry."""

from typing import Any

import pytest

from tests.auth.cached import FakeRedis, cached

pytestmark = pytest.mark.anyio
OTHERS = {
    "another provider": {"AVNOLOGY_BASE_URL": "https://other.example.com"},
    "another client": {"AVNOLOGY_CLIENT_ID": "other"},
}


@pytest.mark.parametrize("variables", OTHERS.values(), ids=OTHERS)
async def test_settings_keep_entries_apart(variables: Any) -> None:
    """A token that one provider accepts may be unknown to another one."""
    redis = FakeRedis()
    ours, others = cached(redis=redis), cached(redis=redis, **variables)
    await ours.look_up()
    await others.look_up()

    assert others.source.calls == ["good"]


async def test_every_spelling_has_an_entry() -> None:
    known = cached()

    assert [await known.look_up("good"), await known.look_up("at_good")] == ["anna", "inactive"]
