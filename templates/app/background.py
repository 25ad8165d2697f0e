"""Work that goes on beside the requests."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

logger = logging.getLogger("app.background")


@asynccontextmanager
async def repeating(
    seconds: float, name: str, action: Callable[[], Awaitable[object]]
) -> AsyncIterator[None]:
    """Call `action` every so many seconds while the block lasts. Log a failure by its type."""

    async def repeat() -> None:
        while True:
            try:
                await action()
            # It may succeed the next time.
            except Exception as error:  # noqa: BLE001
                logger.warning("%s failed reason=%s", name, type(error).__name__)
            await asyncio.sleep(seconds)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def is_being_cancelled() -> bool:
    """Tell whether this task is cancelled, rather than something that it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
