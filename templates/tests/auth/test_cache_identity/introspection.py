"""What identifies a cache entry."""

import pytest

from app.auth.cache.identity import cache_identity
from app.settings import Settings
from tests.auth.cached import cached, claims
from tests.conftest import read_settings

OTHERS = {
    "another provider": {"HYDRA_INTROSPECT_URL": "http://other-hydra:5003/introspect"},
    "another client": {"HYDRA_ADMIN_USER": "other", "HYDRA_ADMIN_PASS": "secret"},
}


@pytest.mark.parametrize("variables", OTHERS.values(), ids=OTHERS)
def test_settings_keep_entries_apart(variables: dict[str, str]) -> None:
    """A token that one provider accepts may be unknown to another one."""
    ours, others = read_settings(Settings), read_settings(Settings, **variables)

    assert cache_identity(ours) != cache_identity(others)


@pytest.mark.anyio
async def test_both_spellings_share_an_entry() -> None:
    """A revocation that one spelling has found refuses the other one too."""
    known = cached()
    known.source.results["ory_at_good"] = claims()
    seen = [await known.look_up("ory_at_good"), await known.look_up("good")]
    known.source.results.clear()
    await known.look_up("good", max_age=0)

    assert [*seen, await known.look_up("ory_at_good")] == ["anna", "anna", "inactive"]
    assert known.source.calls == ["ory_at_good", "good"]
