"""Times of unrelated requests while the identity provider hangs and other requests wait."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from statistics import quantiles

from benchmarks.messages import TOKEN, message
from benchmarks.rows import HangingRow
from benchmarks.servers import Bench

WAITING = 50
"""Requests that wait for the provider all the time."""
ARRIVING = 2.0
"""Seconds in which those arrive: the timeout of the service."""
SECONDS = 4.0
EVERY = 0.01
"""Seconds between two unrelated requests. Each starts on time, even if earlier ones are pending."""
PATIENCE = 10.0
"""Seconds until an unrelated request counts as unanswered."""

CLOSE = {"Connection": "close"}
WAITER = message("GET", "/widgets", {"Authorization": f"Bearer {TOKEN}", **CLOSE})
UNRELATED = message("GET", "/health/live", CLOSE)

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Felt:
    """Times of the unrelated requests, in milliseconds. An unanswered one took `PATIENCE`."""

    p50: float
    p99: float
    worst: float
    unanswered: int
    requests: int

    @classmethod
    def of(cls, times: list[float | None]) -> "Felt":
        """Summarize times. `None` is an unanswered request."""
        filled = [PATIENCE if seconds is None else seconds for seconds in times]
        percentiles = quantiles((seconds * 1000 for seconds in filled), n=100, method="inclusive")
        return cls(
            p50=percentiles[49],
            p99=percentiles[98],
            worst=max(filled) * 1000,
            unanswered=times.count(None),
            requests=len(times),
        )


def measure_hanging(row: HangingRow, bench: Bench) -> list[float | None]:
    """Return the seconds that each unrelated request took."""
    with bench.serving(row.server) as server:
        return asyncio.run(_feel(server.address))


async def _feel(address: Address) -> list[float | None]:
    waiters = []
    try:
        for _ in range(WAITING):
            waiters.append(asyncio.create_task(_wait_for_ever(address)))
            await asyncio.sleep(ARRIVING / WAITING)
        start = asyncio.get_running_loop().time()
        unrelated = []
        for number in range(int(SECONDS / EVERY)):
            await asyncio.sleep(start + number * EVERY - asyncio.get_running_loop().time())
            unrelated.append(asyncio.create_task(_ask(address)))
        return await asyncio.gather(*unrelated)
    finally:
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)


async def _wait_for_ever(address: Address) -> None:
    """Send a request that waits, and send it again when it fails."""
    while True:
        with suppress(OSError):
            await send(address, WAITER)


async def _ask(address: Address) -> float | None:
    start = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            answer = await send(address, UNRELATED)
    except (TimeoutError, OSError):
        return None
    return time.monotonic() - start if b" 200 " in answer[:20] else None


async def send(address: Address, request: bytes) -> bytes:
    """Send a request that closes its connection, and return the answer."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()
