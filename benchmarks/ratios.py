"""Evaluates measurements: ratios within a pass, and whether they are good enough."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from benchmarks.rounds import Measurement, Results
from benchmarks.rows import BARE, Row


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median and maximum of values."""

    minimum: float
    median: float
    maximum: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Return the spread of `values`. There is at least one."""
        ordered = sorted(values)
        return cls(ordered[0], median(ordered), ordered[-1])


def rate_ratio(row: Row, name: str, results: Results) -> Spread | None:
    """Return the requests per second of `row` over those of the row `name`."""
    pairs = same_turns(row, name, results)
    if not pairs:
        return None
    return Spread.of(mine.load.per_second / other.load.per_second for mine, other in pairs)


def processor_ratio(row: Row, name: str, results: Results) -> Spread | None:
    """Return the same ratio by processor time, which other processes disturb less."""
    pairs = same_turns(row, name, results)
    if not pairs:
        return None
    return Spread.of(other.microseconds / mine.microseconds for mine, other in pairs)


def same_turns(row: Row, name: str, results: Results) -> list[tuple[Measurement, Measurement]]:
    """Return the measurements of two rows in passes that have both."""
    mine, other = (results.measurements.get(each, {}) for each in (row.name, name))
    return [(mine[turn], other[turn]) for turn in sorted(mine.keys() & other.keys())]


def verdict(value: float, floor: float | None, goal: float | None) -> str:
    """Judge a ratio."""
    if floor is not None and value < floor:
        return "BELOW FLOOR"
    if goal is not None and value < goal:
        return "below goal"
    return "" if floor is None and goal is None else "good"


def verdict_on_time(time: float, ceiling: float | None) -> str:
    """Judge a time."""
    if ceiling is None:
        return ""
    return "TOO LONG" if too_long(time, ceiling) else "good"


def too_long(time: float, ceiling: float | None) -> bool:
    """Return whether a time is over its limit."""
    return ceiling is not None and time >= ceiling


def shortfalls(row: Row, results: Results) -> list[str]:
    """Return a sentence for each target that a row does not reach."""
    if row.name in results.failures:
        return [f"{row.name}: not measured, {results.failures[row.name]}"]
    wanted = {BARE.name: row.floor, **row.beats}
    sentences = []
    for name, least in wanted.items():
        ratio = rate_ratio(row, name, results)
        if least is not None and ratio is not None and ratio.median < least:
            sentences.append(f"{row.name}: {ratio.median:.2f} times {name}, at least {least:g}")
    return sentences
