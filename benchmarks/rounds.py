"""Measures the rows, in rounds: each round takes every row once, in an order of its own.

The rates of a machine drift, so only rates of the same round are compared.
"""

import random
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.load import Load, Unmeasured, put_load
from benchmarks.processor import seconds_of, seconds_of_all, taken_by_others
from benchmarks.rows import Row
from benchmarks.servers import Bench

SECONDS = 3
WARM_UP = 1

QUIET = 0.2
"""Cores that others may use when a round begins."""
WAIT = 20.0
"""Seconds to wait for that, before each round."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row in one round."""

    load: Load
    microseconds: float
    """Processor time of the server for one request."""
    others: float
    """Cores that processes used which have no part in it."""


@dataclass(slots=True)
class Results:
    """What was measured: rows by name, then rounds by number."""

    measurements: dict[str, dict[int, Measurement]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    """Why a row could not be measured."""
    noisy: list[int] = field(default_factory=list)
    """The rounds that did not find the machine quiet."""


def measure(rows: Sequence[Row], bench: Bench, rounds: int, say: Say) -> Results:
    """Measure `rows` in that many rounds."""
    results = Results({row.name: {} for row in rows})
    for number in range(1, rounds + 1):
        if not wait_until_quiet():
            results.noisy.append(number)
        # Another order each time, and the same orders in every run
        for row in random.Random(number).sample(rows, len(rows)):  # noqa: S311
            if row.name in results.failures:
                continue
            try:
                measurement = measure_once(row, bench)
            except Unmeasured as problem:
                results.failures[row.name] = str(problem)
                say(f"round {number}/{rounds}  {row.name}: FAILED, {problem}")
                continue
            results.measurements[row.name][number] = measurement
            rate = f"{measurement.load.per_second:,.0f} requests/s"
            say(f"round {number}/{rounds}  {row.name}: {rate}")
    return results


def measure_once(row: Row, bench: Bench, seconds: int = SECONDS) -> Measurement:
    """Start the server of a row, warm it up and put load on it. Raises `Unmeasured`."""
    with bench.serving(row.server) as server:
        put_load(server.url, row.requests, bench.folder, WARM_UP)
        before, ours, all_of_them = seconds_of(server.pid), _own(bench), seconds_of_all()
        start = time.monotonic()
        load = put_load(server.url, row.requests, bench.folder, seconds)
        duration = time.monotonic() - start
        taken = seconds_of(server.pid) - before
        others = seconds_of_all() - all_of_them - (_own(bench) - ours)
        if row.server is not None:
            others -= taken
    return Measurement(load, taken / load.requests * 1e6, max(0.0, others / duration))


def wait_until_quiet() -> bool:
    """Wait a little for others to leave the machine alone. Tell whether they do.

    Not by the load average: that is still full of the round before.
    """
    deadline = time.monotonic() + WAIT
    while taken_by_others() > QUIET:
        if time.monotonic() > deadline:
            return False
    return True


def _own(bench: Bench) -> float:
    """Return the processor time of these scripts, of `wrk` and of the stub provider."""
    wrk = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + wrk.ru_utime + wrk.ru_stime + seconds_of(bench.provider.pid)
