"""How fast events are accepted and stored: at a steady pace, and as many as possible."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

from benchmarks.hanging import PATIENCE, UNRELATED, Address, Felt, send
from benchmarks.load import Load, put_load
from benchmarks.messages import post
from benchmarks.postgresql import postgresql
from benchmarks.rows import DeliveryRow
from benchmarks.servers import Bench

SECRET = "whsec_of_the_benchmarks_0123456789abcdef"  # noqa: S105
PER_SECOND = 50
SECONDS = 8
"""The duration of deliveries at that pace."""
ALL_OUT = 3
"""Seconds of as many deliveries as possible."""
SIGNED = 12_000
"""Signed events for that: more than a server accepts in the time."""


@dataclass(frozen=True, slots=True)
class Round:
    """Measurements of one round. Times are in seconds, `None` without a response."""

    live: list[float | None]
    steady: list[float | None]
    all_out: Load


@dataclass(frozen=True, slots=True)
class Accepted:
    """Measurements of all rounds."""

    live: Felt
    """`GET /health/live` of the same server at the same pace, before the deliveries."""
    steady: Felt
    per_second: float
    p99: float
    """Medians of the rounds, all out; `p99` in milliseconds."""

    @property
    def above_live(self) -> float:
        """How many milliseconds the p99 of a delivery lies above that of `/health/live`."""
        return self.steady.p99 - self.live.p99

    @classmethod
    def of(cls, rounds: Sequence[Round]) -> "Accepted":
        """Combine rounds. There is at least one."""
        return cls(
            Felt.of([time for one in rounds for time in one.live]),
            Felt.of([time for one in rounds for time in one.steady]),
            median(one.all_out.per_second for one in rounds),
            median(one.all_out.p99 for one in rounds),
        )


def measure_deliveries(row: DeliveryRow, bench: Bench) -> Round:
    """Send events to the server of a row. Raises `Unmeasured` when one is not accepted."""
    with inbox(row.database) as url:
        variables = {**row.server.variables, "WEBHOOK_SECRETS": SECRET, "INBOX_DATABASE_URL": url}
        with bench.serving(replace(row.server, variables=variables)) as server:
            asyncio.run(_steadily(server.address, _deliveries("warm", 1)))
            live = asyncio.run(_steadily(server.address, [UNRELATED] * PER_SECOND * SECONDS))
            steady = asyncio.run(_steadily(server.address, _deliveries("steady", SECONDS)))
            requests = tuple(delivery(f"all-out-{number}") for number in range(SIGNED))
            all_out = put_load(server.url, requests, bench.folder, ALL_OUT)
            return Round(live, steady, all_out)


@contextmanager
def inbox(database: str) -> Iterator[str]:
    """Create a database of a kind, and return its URL. Raises `Unmeasured`."""
    if database == "sqlite":
        # In the folder of the process, which is always a new one
        yield "sqlite:///inbox.sqlite"
    else:
        with postgresql() as url:
            yield url


def delivery(event_id: str, *, close: bool = False) -> bytes:
    """Return a signed delivery of an event."""
    event = {"id": event_id, "type": "user.updated", "data": {"user_id": "anna"}}
    body = json.dumps(event).encode()
    sent = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), f"{sent}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Timestamp": sent,
        "X-Signature": signature,
        **({"Connection": "close"} if close else {}),
    }
    return post("/webhooks/olympus", body, headers)


def _deliveries(name: str, seconds: int) -> list[bytes]:
    return [delivery(f"{name}-{number}", close=True) for number in range(seconds * PER_SECOND)]


async def _steadily(address: Address, requests: Sequence[bytes]) -> list[float | None]:
    """Send requests at a steady pace. Each starts on time, even if earlier ones are pending."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    sent = []
    for number, request in enumerate(requests):
        await asyncio.sleep(start + number / PER_SECOND - loop.time())
        sent.append(asyncio.create_task(_deliver(address, request)))
    return await asyncio.gather(*sent)


async def _deliver(address: Address, request: bytes) -> float | None:
    start = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            answer = await send(address, request)
    except (TimeoutError, OSError):
        return None
    return time.monotonic() - start if b" 200 " in answer[:20] else None
