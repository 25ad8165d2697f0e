"""YOURS. What your handlers do with events."""

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from app.webhooks.handlers import HANDLERS, users
from tests.webhooks.conftest import event

OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


@pytest.mark.anyio
@pytest.mark.parametrize("times", [(OLD, NEW), (NEW, OLD)], ids=["in order", "the newer first"])
async def test_newest_event_is_kept(engine: AsyncEngine, times: tuple[str, str]) -> None:
    for timestamp in times:
        event_type = "user.deleted" if timestamp == NEW else "user.updated"
        async with engine.begin() as connection:
            await HANDLERS[event_type].run(
                event(event_type=event_type, timestamp=timestamp), connection
            )
    async with engine.connect() as connection:
        kept = await connection.execute(sa.select(users.c.id, users.c.last_event))

        assert [tuple(row) for row in kept] == [("anna", "user.deleted")]
