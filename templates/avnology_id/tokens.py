"""The tokens that the client has for itself: one a set of scopes, renewed before it ends."""

import asyncio
from collections.abc import Awaitable, Callable

from avnology_id.results import TokenSet

MARGIN = 30.0
"""Seconds before its end that a token is renewed, or a tenth of its life where that is less."""


class OwnTokens:
    """Keeps what `fetch` gets for a set of scopes. `clock` gives seconds since 1970."""

    def __init__(
        self, fetch: Callable[[frozenset[str]], Awaitable[TokenSet]], clock: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[frozenset[str], TokenSet] = {}
        self._pending: dict[frozenset[str], asyncio.Task[TokenSet]] = {}

    async def get(self, scopes: frozenset[str]) -> TokenSet:
        """Return a token with `scopes`. Concurrent callers share one call."""
        kept = self._kept.get(scopes)
        if kept is not None and self._clock() < _renewal(kept):
            return kept
        task = self._pending.get(scopes)
        if task is None:
            task = asyncio.create_task(self._renew(scopes))
            self._pending[scopes] = task
            task.add_done_callback(lambda done: self._finish(scopes, done))
        # Shielded: one caller's cancellation must not cancel the shared call.
        return await asyncio.shield(task)

    def discard(self, scopes: frozenset[str], refused: TokenSet) -> None:
        """Forget a token that was refused, unless another one has taken its place by now."""
        if self._kept.get(scopes) is refused:
            del self._kept[scopes]

    async def close(self) -> None:
        """End what is still being fetched, and forget the rest."""
        pending = list(self._pending.values())
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        self._kept.clear()

    async def _renew(self, scopes: frozenset[str]) -> TokenSet:
        self._kept[scopes] = token = await self._fetch(scopes)
        return token

    def _finish(self, scopes: frozenset[str], task: asyncio.Task[TokenSet]) -> None:
        del self._pending[scopes]
        if not task.cancelled():
            task.exception()  # retrieved, even if no caller waits any more


def _renewal(token: TokenSet) -> float:
    return token.expires_at.timestamp() - min(MARGIN, token.expires_in / 10)
