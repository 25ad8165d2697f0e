"""What identifies a cache entry."""

from typing import Any

import pytest

from tests.auth.cached import FakeRedis, cached, claims

pytestmark = pytest.mark.anyio
OTHERS = {
    "another provider": {"HYDRA_INTROSPECT_URL": "http://other-hydra:5003/introspect"},
    "another client": {"HYDRA_ADMIN_USER": "other", "HYDRA_ADMIN_PASS": "secret"},
}


@pytest.mark.parametrize("variables", OTHERS.values(), ids=OTHERS)
async def test_settings_keep_entries_apart(variables: Any) -> None:
    """A token that one provider accepts may be unknown to another one."""
    redis = FakeRedis()
    ours, others = cached(redis=redis), cached(redis=redis, **variables)
    await ours.look_up()
    await others.look_up()

    assert others.source.calls == ["good"]


async def test_both_spellings_share_an_entry() -> None:
    """A revocation that one spelling has found refuses the other one too."""
    known = cached()
    known.source.results["ory_at_good"] = claims()
    seen = [await known.look_up("ory_at_good"), await known.look_up("good")]
    known.source.results.clear()
    await known.look_up("good", max_age=0)

    assert [*seen, await known.look_up("ory_at_good")] == ["anna", "anna", "inactive"]
    assert known.source.calls == ["ory_at_good", "good"]
