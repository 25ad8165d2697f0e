"""Browsers of other origins."""

import pytest

from tests.conftest import Start
from tests.test_main import BROWSER


@pytest.mark.parametrize("origins", ["", "https://other.example"])
def test_other_origins_read_nothing(start: Start, origins: str) -> None:
    response = start(CORS_ORIGINS=origins).get("/probe", headers=BROWSER)

    assert "access-control-allow-origin" not in response.headers
