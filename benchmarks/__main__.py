"""Measures what the service costs: `make bench`, or `python -m benchmarks --help`."""

import argparse
import random
import signal
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NoReturn

from benchmarks import report
from benchmarks.deliveries import Accepted, Round, measure_deliveries
from benchmarks.hanging import Felt, measure_hanging
from benchmarks.layers import profile
from benchmarks.load import Unmeasured
from benchmarks.machine import describe, lacks
from benchmarks.ratios import Spread, shortfalls, too_long
from benchmarks.rendering import measure_render
from benchmarks.rounds import measure
from benchmarks.rows import (
    BARE,
    DELIVERY_ROWS,
    HANGING_ROWS,
    RENDER_ROWS,
    ROWS,
    DeliveryRow,
    HangingRow,
    Row,
    with_version,
)
from benchmarks.servers import Bench, open_bench

ROUNDS = 5
OTHER_ROUNDS = 3
"""Of rows that are not compared with a bare endpoint."""


def main(arguments: Sequence[str] | None = None) -> int | str:
    """Measure and print. Return the exit code, or why nothing was measured."""
    options = parse(arguments)
    if (problem := lacks()) is not None:
        return problem
    signal.signal(signal.SIGTERM, _end)
    try:
        with open_bench() as bench:
            if options.profile:
                return show_profile(options.profile, bench)
            return run(options, bench)
    except Unmeasured as failure:
        return str(failure)
    except KeyboardInterrupt:
        return 130


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options. Empty values count as absent, because make passes all options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default="", help="rows with this in their names")
    parser.add_argument("--rounds", default="", help=f"how many rounds, {ROUNDS} without it")
    parser.add_argument(
        "--before",
        default="",
        metavar="COMMIT",
        help="compare with services of another version",
    )
    parser.add_argument("--check", action="store_true", help="fail when a floor is not reached")
    parser.add_argument(
        "--profile", default="", metavar="ROW", help="say where the time of a row goes instead"
    )
    options = parser.parse_args(arguments)
    options.rounds = int(options.rounds or ROUNDS)
    if options.rounds < 1:
        parser.error("at least one round is needed")
    return options


def run(options: argparse.Namespace, bench: Bench) -> int | str:
    """Measure the rows with `only` in their names, print the tables, and return the exit code."""
    only: str = options.only
    rounds: int = options.rounds
    rows = with_compared(row for row in ROWS if only in row.name)
    if options.before:
        rows = with_version(rows, bench.version(options.before))
    hanging_rows = [row for row in HANGING_ROWS if only in row.name]
    render_rows = [row for row in RENDER_ROWS if only in row.name]
    delivery_rows = [row for row in DELIVERY_ROWS if only in row.name]
    if not (rows or hanging_rows or delivery_rows or render_rows):
        return f"There is no row called {only}."

    show([f"{datetime.now(UTC):%Y-%m-%d}", *describe()])
    results = measure(rows, bench, rounds, progress)
    felt = feel(hanging_rows, bench)
    accepted = deliver(delivery_rows, bench)
    renders = [(row, Spread.of(measure_render(row, bench.folder))) for row in render_rows]

    show(report.rate_table(rows, results))
    show(report.comparison_table(rows, results))
    show(report.hanging_table(felt))
    show(report.delivery_table(accepted))
    show(report.render_table(renders))
    show(report.noise(results, rounds))
    missed = [sentence for row in rows for sentence in shortfalls(row, results)]
    missed += [row.name for row, times in felt if too_long(times.p99, row.ceiling)]
    missed += [row.name for row, each in accepted if too_long(each.above_live, row.above_live)]
    missed += [row.name for row, each in accepted if each.per_second < row.floor]
    missed += [row.name for row, time in renders if too_long(time.median, row.ceiling)]
    show(["Not good enough:", *missed] if missed else [])
    return 1 if results.failures or (options.check and missed) else 0


def with_compared(rows: Iterable[Row]) -> list[Row]:
    """Return `rows` and those that they are compared with, in the order of the table."""
    names = {name for row in rows for name in (row.name, BARE.name, *row.beats)}
    return [row for row in ROWS if row.name in names]


def feel(rows: Sequence[HangingRow], bench: Bench) -> list[tuple[HangingRow, Felt]]:
    """Measure the times of unrelated requests, all rounds together."""
    times: dict[str, list[float | None]] = {row.name: [] for row in rows}
    for number in range(1, OTHER_ROUNDS + 1):
        for row in random.Random(number).sample(rows, len(rows)):  # noqa: S311
            times[row.name] += measure_hanging(row, bench)
            progress(f"round {number} of {OTHER_ROUNDS}, {row.name}")
    return [(row, Felt.of(times[row.name])) for row in rows]


def deliver(rows: Sequence[DeliveryRow], bench: Bench) -> list[tuple[DeliveryRow, Accepted]]:
    """Send events to the servers of `rows`, all rounds together."""
    rounds: dict[str, list[Round]] = {row.name: [] for row in rows}
    for number in range(1, OTHER_ROUNDS + 1):
        for row in random.Random(number).sample(rows, len(rows)):  # noqa: S311
            rounds[row.name].append(measure_deliveries(row, bench))
            progress(f"round {number} of {OTHER_ROUNDS}, {row.name}")
    return [(row, Accepted.of(rounds[row.name])) for row in rows]


def show_profile(name: str, bench: Bench) -> int | str:
    """Print the profile of the first row that has `name` in its name."""
    row = next((row for row in ROWS if name in row.name), None)
    if row is None:
        return f"There is no row called {name}."
    show([f"Where the server's time goes: {row.name}"])
    show(report.share_table(profile(row, bench)))
    return 0


def show(lines: Sequence[str]) -> None:
    """Print a paragraph of the report."""
    if lines:
        print("\n".join(lines), end="\n\n", flush=True)


def progress(line: str) -> None:
    """Print the progress to standard error, apart from the report."""
    print(line, file=sys.stderr, flush=True)


def _end(signum: int, frame: object) -> NoReturn:
    # As an exception, so that all started processes are ended.
    sys.exit(128 + signum)


if __name__ == "__main__":
    sys.exit(main())
