"""What identifies a cache entry."""

import pytest

from app.auth.cache.identity import cache_identity
from app.settings import Settings
from tests.auth.cached import cached
from tests.conftest import read_settings

OTHERS = {
    "another issuer": {"OLYMPUS_ISSUER": "https://other.example.com"},
    "other keys": {"OLYMPUS_JWKS_URL": "https://other.example.com/keys"},
    "other algorithms": {"JWT_ALGORITHMS": "ES256"},
}


@pytest.mark.parametrize("variables", OTHERS.values(), ids=OTHERS)
def test_settings_keep_entries_apart(variables: dict[str, str]) -> None:
    """Another issuer or key may not accept the token."""
    ours, others = read_settings(Settings), read_settings(Settings, **variables)

    assert cache_identity(ours) != cache_identity(others)


@pytest.mark.anyio
async def test_every_spelling_has_an_entry() -> None:
    known = cached()

    assert [await known.look_up("good"), await known.look_up("at_good")] == ["anna", "inactive"]
