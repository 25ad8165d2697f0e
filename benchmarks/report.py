"""The results as Markdown tables."""

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.deliveries import PER_SECOND, Accepted
from benchmarks.hanging import PATIENCE, Felt
from benchmarks.ratios import Spread, processor_ratio, rate_ratio, verdict, verdict_on_time
from benchmarks.rounds import Results
from benchmarks.rows import BARE, DeliveryRow, HangingRow, RenderRow, Row


def rate_table(rows: Sequence[Row], results: Results) -> list[str]:
    """Return the rates of rows beside those of the bare endpoint."""
    heads = ["row", "ratio: min", "median", "max", "by CPU time", "CPU us", "requests/s", "p99 ms"]
    return table([*heads, "floor", "goal", ""], (_rate_line(row, results) for row in rows))


def _rate_line(row: Row, results: Results) -> list[str]:
    measured = list(results.measurements[row.name].values())
    ratio = rate_ratio(row, BARE.name, results)
    by_processor = processor_ratio(row, BARE.name, results)
    if row.name in results.failures or ratio is None or by_processor is None:
        return [row.name, *["-"] * 7, *_wanted(row), "FAILED"]
    return [
        row.name,
        *_three(ratio, ".3f"),
        f"{by_processor.median:.3f}",
        f"{median(each.microseconds for each in measured):,.0f}",
        f"{median(each.load.per_second for each in measured):,.0f}",
        f"{median(each.load.p99 for each in measured):.1f}",
        *_wanted(row),
        verdict(ratio.median, row.floor, row.goal),
    ]


def _wanted(row: Row) -> list[str]:
    return ["" if value is None else f"{value:g}" for value in (row.floor, row.goal)]


def comparison_table(rows: Sequence[Row], results: Results) -> list[str]:
    """Return the rows that have to be faster than others, with the ratios."""
    lines = []
    for row in rows:
        for name, least in row.beats.items():
            ratio = rate_ratio(row, name, results)
            if ratio is not None:
                judged = verdict(ratio.median, least, None)
                lines.append([row.name, name, *_three(ratio, ".1f"), f"{least:g}", judged])
    return table(["row", "times", "min", "median", "max", "floor", ""], lines)


def _three(spread: Spread, form: str) -> list[str]:
    return [format(value, form) for value in (spread.minimum, spread.median, spread.maximum)]


def hanging_table(felt: Iterable[tuple[HangingRow, Felt]]) -> list[str]:
    """Return the times of unrelated requests."""
    heads = ["unrelated requests", "p50 ms", "p99 ms", "worst ms", "unanswered", "p99 below", ""]
    return table(
        heads,
        (
            [
                row.name,
                *(_milliseconds(value) for value in (times.p50, times.p99, times.worst)),
                f"{times.unanswered} of {times.requests}",
                "" if row.ceiling is None else f"{row.ceiling:g}",
                verdict_on_time(times.p99, row.ceiling),
            ]
            for row, times in felt
        ),
    )


def _milliseconds(value: float) -> str:
    limit = PATIENCE * 1000
    return f"{value:,.1f}" if value < limit else f"over {limit:,.0f}"


def delivery_table(accepted: Iterable[tuple[DeliveryRow, Accepted]]) -> list[str]:
    """Return the times and rates of deliveries."""
    pace = f"at {PER_SECOND}/s: "
    heads = ["deliveries", f"{pace}p50 ms", "p99 ms", "above live", "at most", "", "no answer"]
    return table(
        [*heads, "all out: per s", "floor", "goal", "", "p99 ms", "live: p50 ms", "p99 ms"],
        (
            [
                row.name,
                *(_milliseconds(ms) for ms in (each.steady.p50, each.steady.p99, each.above_live)),
                f"{row.above_live:g}",
                verdict_on_time(each.above_live, row.above_live),
                f"{each.steady.unanswered} of {each.steady.requests}",
                f"{each.per_second:,.0f}",
                f"{row.floor:,.0f}",
                f"{row.goal:,.0f}",
                verdict(each.per_second, row.floor, row.goal),
                _milliseconds(each.p99),
                *(_milliseconds(ms) for ms in (each.live.p50, each.live.p99)),
            ]
            for row, each in accepted
        ),
    )


def render_table(times: Iterable[tuple[RenderRow, Spread]]) -> list[str]:
    """Return the times of renders."""
    return table(
        ["render", "min s", "median s", "max s", "below", ""],
        (
            [
                row.name,
                *_three(spread, ".3f"),
                "" if row.ceiling is None else f"{row.ceiling:g}",
                verdict_on_time(spread.median, row.ceiling),
            ]
            for row, spread in times
        ),
    )


def share_table(shares: Sequence[tuple[str, float]], least: float = 0.005) -> list[str]:
    """Return the layers of a profile, the small ones as one."""
    large = [[name, f"{share:.1%}"] for name, share in shares if share >= least]
    rest = sum(share for _, share in shares if share < least)
    return table(["layer", "share"], [*large, ["all others", f"{rest:.1%}"]])


def noise(results: Results, rounds: int) -> list[str]:
    """Return how busy the machine was."""
    used = [each.others for row in results.measurements.values() for each in row.values()]
    if not used:
        return []
    others = Spread.of(used)
    cores = f"{others.median:.2f} cores in the median and {others.maximum:.2f} at most"
    return [f"Others used {cores}; {len(results.noisy)} of {rounds} rounds did not begin quietly."]


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table, or nothing if it would be empty."""
    cells = [list(line) for line in lines]
    if not cells:
        return []
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    rule = ["-" * max(width, 3) for width in widths]
    padded = (
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        for line in (heads, rule, *cells)
    )
    return ["| " + " | ".join(line) + " |" for line in padded]
