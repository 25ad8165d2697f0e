"""Measures the rows in rounds: each starts all servers and takes every row several times.

The speed of a machine changes from one second to the next, more so if it is virtual. So all servers
run at the same time and take short turns, in another order on each pass, and only rates of the same
pass are compared.
"""

import random
import resource
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.load import Load, Unmeasured, put_load
from benchmarks.processor import seconds_of, seconds_of_all, taken_by_others
from benchmarks.rows import Row
from benchmarks.servers import Bench, Running

PASSES = 4
SECONDS = 1
"""The length of a turn."""
REST = 0.3
"""Seconds between two turns, in which a server finishes abandoned requests."""
WARM_UP = 1

QUIET = 0.2
"""Cores that others may use when a round begins."""
WAIT = 20.0
"""Seconds to wait for that, before each round."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One turn of a row."""

    load: Load
    microseconds: float
    """Processor time of the server for one request."""
    others: float
    """Cores that unrelated processes used."""


Turn = tuple[int, int]
"""A round, and a pass in it."""


@dataclass(slots=True)
class Results:
    """What was measured: rows by name, then their turns."""

    measurements: dict[str, dict[Turn, Measurement]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    """Why a row could not be measured."""
    noisy: list[int] = field(default_factory=list)
    """The rounds that began on a busy machine."""

    def fail(self, row: Row, problem: Unmeasured) -> None:
        """Leave a row out from now on, even if earlier turns succeeded."""
        self.failures[row.name] = str(problem)


def measure(rows: Sequence[Row], bench: Bench, rounds: int, say: Say) -> Results:
    """Measure `rows` in that many rounds."""
    results = Results({row.name: {} for row in rows})
    for number in range(1, rounds + 1):
        if not wait_until_quiet():
            results.noisy.append(number)
        with ExitStack() as stack:
            servers = start(rows, bench, stack, results)
            for turn in [(number, each) for each in range(1, PASSES + 1)]:
                # Another order each time, and the same orders in every run
                for row in random.Random(str(turn)).sample(rows, len(rows)):  # noqa: S311
                    if row.name not in results.failures:
                        take_turn(row, servers[row.name], bench, turn, results)
        say(f"round {number} of {rounds}")
    return results


def start(
    rows: Sequence[Row], bench: Bench, stack: ExitStack, results: Results
) -> dict[str, Running]:
    """Start the servers of all rows that have not failed yet, and warm them up."""
    servers = {}
    for row in rows:
        if row.name in results.failures:
            continue
        try:
            servers[row.name] = stack.enter_context(bench.serving(row.server))
            put_load(servers[row.name].url, row.requests(), bench.folder, WARM_UP)
        except Unmeasured as problem:
            results.fail(row, problem)
    return servers


def take_turn(row: Row, server: Running, bench: Bench, turn: Turn, results: Results) -> None:
    """Put load on the server of a row, and record the measurement."""
    time.sleep(REST)
    before, ours, all_of_them = seconds_of(server.pid), _own(bench), seconds_of_all()
    start = time.monotonic()
    try:
        load = put_load(server.url, row.requests(), bench.folder, SECONDS)
    except Unmeasured as problem:
        results.fail(row, problem)
        return
    duration = time.monotonic() - start
    taken = seconds_of(server.pid) - before
    others = seconds_of_all() - all_of_them - (_own(bench) - ours)
    if row.server is not None:
        others -= taken
    results.measurements[row.name][turn] = Measurement(
        load, taken / load.requests * 1e6, max(0.0, others / duration)
    )


def wait_until_quiet() -> bool:
    """Wait until other processes use little of the machine. Return whether they do.

    The load average would still include the previous round.
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
