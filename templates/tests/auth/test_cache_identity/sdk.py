"""What identifies a cache entry."""

import pytest

from app.auth.cache.identity import cache_identity
from app.settings import Settings
from tests.auth.cached import cached
from tests.conftest import read_settings

OTHERS = {
    "another provider": {"AVNOLOGY_BASE_URL": "https://other.example.com"},
    "another client": {"AVNOLOGY_CLIENT_ID": "other"},
}


@pytest.mark.parametrize("variables", OTHERS.values(), ids=OTHERS)
def test_settings_keep_entries_apart(variables: dict[str, str]) -> None:
    """A token that one provider accepts may be unknown to another one."""
    ours, others = read_settings(Settings), read_settings(Settings, **variables)

    assert cache_identity(ours) != cache_identity(others)


@pytest.mark.anyio
async def test_every_spelling_has_an_entry() -> None:
    known = cached()

    assert [await known.look_up("good"), await known.look_up("at_good")] == ["anna", "inactive"]
