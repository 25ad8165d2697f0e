"""One call per key in flight, shared by all callers that can use its result."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.auth.claims import Claims
from app.auth.errors import AuthError

Result = Claims | AuthError
"""The claims of a token, or why there are none."""


@dataclass(frozen=True, slots=True, eq=False)
class PendingCall:
    """A call in flight. `sent_at` in seconds since 1970."""

    sent_at: float
    task: asyncio.Task[Result]

    async def result(self) -> Claims:
        """Wait for the claims, or raise the refusal."""
        # Shielded: one caller's cancellation must not cancel the shared call.
        result = await asyncio.shield(self.task)
        if isinstance(result, AuthError):
            raise result.with_traceback(None)
        return result


class SingleFlight:
    """The calls in flight. A call goes on even if all its callers go away.

    A caller that needs a newer result starts another call for the same key. From then on only the
    result of the newer one is stored, whichever ends first.
    """

    def __init__(self, store: Callable[[str, float, Result], Awaitable[None]]) -> None:
        self._store = store
        self._newest: dict[str, PendingCall] = {}
        # The event loop itself keeps no strong reference to a task.
        self._tasks: set[asyncio.Task[Result]] = set()

    def newest(self, key: str) -> PendingCall | None:
        """Return the newest call for `key` that is in flight."""
        return self._newest.get(key)

    def start(self, key: str, sent_at: float, call: Callable[[], Awaitable[Result]]) -> PendingCall:
        """Start a call. Its result is stored before its callers get it."""

        async def run() -> Result:
            try:
                result = await call()
                if self._newest.get(key) is pending:
                    await self._store(key, sent_at, result)
                return result
            finally:
                if self._newest.get(key) is pending:
                    del self._newest[key]

        pending = self._newest[key] = PendingCall(sent_at, asyncio.create_task(run()))
        self._tasks.add(pending.task)
        pending.task.add_done_callback(self._tasks.discard)
        return pending

    def close(self) -> None:
        """Cancel all calls."""
        for task in self._tasks:
            task.cancel()
