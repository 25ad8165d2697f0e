"""What the service counts of deliveries and of the inbox."""

from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from app.webhooks.inbox import Inbox
from app.webhooks.worker import Worker
from tests.webhooks.conftest import HANDLERS, Sender, body, change, event

OUTCOMES: dict[str, dict[str, Any]] = {
    "stored": {},
    "ignored": {"content": body(event_type="user.renamed")},
    "401": {"secret": "x" * 32},
    "413": {"content": b" " * 262_145},
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_deliveries(deliver: Sender, outcome: str) -> None:
    def counts() -> list[float]:
        name = "webhook_deliveries_total"
        return [REGISTRY.get_sample_value(name, {"outcome": known}) or 0 for known in OUTCOMES]

    before = counts()
    deliver(**OUTCOMES[outcome])
    increase = [after - early for after, early in zip(counts(), before, strict=True)]

    assert increase == [float(known == outcome) for known in OUTCOMES]


@pytest.mark.anyio
async def test_stored_events(engine: AsyncEngine) -> None:
    inbox = Inbox(engine, HANDLERS)
    for number in range(6):
        await inbox.accept(event(f"evt_{number}"))
    await change(engine, "UPDATE inbox_events SET state = 'dead' WHERE id > 'evt_3'")
    await change(engine, "UPDATE inbox_events SET state = 'done' WHERE id = 'evt_0'")
    await Worker(engine, HANDLERS).count()
    counts = [
        REGISTRY.get_sample_value("inbox_events", {"state": state}) for state in ("waiting", "dead")
    ]

    assert counts == [3, 2]
