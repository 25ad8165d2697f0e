"""Further bodies that are not valid, and checks of readiness that take too long."""

import asyncio

import pytest

from app.health import Readiness
from tests.conftest import CallAs
from tests.probe import WRITE

BODIES = {
    "infinite": b'{"text":-Infinity}',
    "a number of 10000 digits": b'{"text":' + b"1" * 10_000 + b"}",
    "empty text": b'{"text":""}',
    "a list": b"[]",
    "null": b"null",
}


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES)
def test_wrong_body(as_user: CallAs, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = as_user("anna", [WRITE]).post("/probe", content=content, headers=headers)

    assert response.status_code in (400, 422)
    assert "input" not in response.text


@pytest.mark.anyio
async def test_late_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not matter that the check would pass later."""
    monkeypatch.setattr("app.health.TIME_LIMIT", 0.01)

    async def late() -> None:
        await asyncio.sleep(1)

    assert await Readiness({"a": late, "b": late}).missing() == ["a", "b"]
