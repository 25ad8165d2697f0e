"""A body that arrives in parts."""

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from app.body_limit import BodyLimit


@pytest.mark.anyio
async def test_parts_of_a_body_are_added_up() -> None:
    """Each part is small enough, and the application gets no part that goes over the limit."""
    parts = 0

    async def receive() -> Message:
        nonlocal parts
        parts += 1
        return {"type": "http.request", "body": b" " * 60, "more_body": True}

    async def send(message: Message) -> None:
        raise AssertionError

    async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(3):
            await receive()

    with pytest.raises(HTTPException) as refusal:
        await BodyLimit(read_all, 100)({"type": "http", "headers": []}, receive, send)

    assert refusal.value.status_code == 413
    assert parts == 2
