"""Checks that end in unusual ways."""

import asyncio

import pytest

from app.health import Readiness

pytestmark = pytest.mark.anyio


async def test_check_that_is_cancelled() -> None:
    """As by a task that it waits for. It is no cancellation of the request."""

    async def check() -> None:
        raise asyncio.CancelledError

    assert await Readiness({"notes": check}).missing() == ["notes"]


async def test_request_that_is_cancelled() -> None:
    async def check() -> None:
        await asyncio.Event().wait()

    request = asyncio.create_task(Readiness({"notes": check}).missing())
    await asyncio.sleep(0.01)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
