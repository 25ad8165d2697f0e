"""An event loop in a thread of its own, for a library that blocks, and what goes first in it."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """A running event loop. What blocks in it blocks nothing else."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Start `work` in the loop, from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Have `work` done in the loop, and wait for it in one's own."""
        return await asyncio.wrap_future(self.submit(work))

    async def settle(self, grace: float) -> None:
        """Wait up to `grace` seconds for what still runs, and cancel the rest."""
        await self.run(_end_others(grace))

    async def stop(self) -> None:
        """Cancel what still runs, and end the loop."""
        await self.settle(0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()


class Precedence:
    """In one loop, work that somebody waits for goes before work that nobody waits for.

    They share a processor, and where the first is late, the second makes it later.
    """

    def __init__(self, head_start: float, longest: float) -> None:
        self._head_start = head_start
        self._longest = longest
        self._first = 0
        self._none_first = asyncio.Event()
        self._none_first.set()

    @contextmanager
    def go_first(self) -> Iterator[None]:
        """Keep the others waiting while the block lasts, and `head_start` seconds after it."""
        self._first += 1
        self._none_first.clear()
        try:
            yield
        finally:
            asyncio.get_running_loop().call_later(self._head_start, self._gone)

    async def give_way(self) -> None:
        """Wait until nobody goes first any more, but no more than `longest` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._longest):
                await self._none_first.wait()

    def _gone(self) -> None:
        self._first -= 1
        if not self._first:
            self._none_first.set()


async def _end_others(grace: float) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        _, left = await asyncio.wait(others, timeout=grace)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
