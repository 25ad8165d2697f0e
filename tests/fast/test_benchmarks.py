"""How the benchmarks evaluate measurements. The measurements themselves are `make bench`."""

import json

import pytest

from benchmarks.__main__ import main
from benchmarks.hanging import PATIENCE, Felt
from benchmarks.layers import shares
from benchmarks.load import Load, Unmeasured, parse
from benchmarks.messages import get, post
from benchmarks.provider import RESPONSES, take
from benchmarks.ratios import Spread, processor_ratio, rate_ratio, shortfalls, verdict
from benchmarks.report import rate_table, table
from benchmarks.rounds import Measurement, Results, Turn
from benchmarks.rows import (
    BARE,
    HANGING_ROWS,
    RENDER_ROWS,
    ROWS,
    HangingRow,
    RenderRow,
    Row,
    introspection,
)

WRK = """\
Running 3s test @ http://127.0.0.1:35465
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   343.82ms  501.35ms   2.84s    87.61%
    Req/Sec   130.39     21.00   151.00     96.43%
  Latency Distribution
     50%  152.95us
     75%  208.42ms
     90%    1.02s\x20
     99%    2.36s\x20
  370 requests in 3.00s, 66.85KB read
Requests/sec:    123.17
Transfer/sec:     22.25KB
"""

GOOD = Row("good", None, floor=0.2, goal=0.25, beats={"slow": 3})


def measured(rates: dict[int, float], microseconds: float = 100) -> dict[Turn, Measurement]:
    """Return measurements of one row with a given rate in each round."""
    return {
        (number, 1): Measurement(Load(1000, rate, 1, 2), microseconds, 0)
        for number, rate in rates.items()
    }


@pytest.fixture
def results() -> Results:
    """Three rows over three rounds, one of which the row `good` has missed."""
    return Results(
        {
            BARE.name: measured({1: 1000, 2: 2000, 3: 500}),
            "good": measured({1: 300, 2: 400}, microseconds=400),
            "slow": measured({1: 30, 2: 200}),
        }
    )


def test_the_report_of_wrk_is_read() -> None:
    """All times are converted to milliseconds."""
    assert parse(WRK) == Load(requests=370, per_second=123.17, p50=0.15295, p99=2360)


@pytest.mark.parametrize(
    "failure",
    ["  Non-2xx or 3xx responses: 12", "  Socket errors: connect 0, read 3, write 0, timeout 0"],
)
def test_a_failed_answer_is_not_a_fast_one(failure: str) -> None:
    """A server that refuses all requests would be the fastest."""
    with pytest.raises(Unmeasured, match=failure.strip()):
        parse(f"{WRK}{failure}\n")


def test_an_unknown_report_is_not_guessed_at() -> None:
    """Another version of wrk may use another format."""
    with pytest.raises(Unmeasured, match="unknown"):
        parse(WRK.replace("Latency Distribution", "").replace("99%", "98%"))


def test_only_rates_of_the_same_pass_are_compared(results: Results) -> None:
    """0.3 and 0.2; the third round measured only one of the rows."""
    assert rate_ratio(GOOD, BARE.name, results) == Spread(0.2, 0.25, 0.3)
    assert processor_ratio(GOOD, BARE.name, results) == Spread(0.25, 0.25, 0.25)
    assert rate_ratio(GOOD, "never measured", results) is None


def test_a_row_is_judged_by_its_median(results: Results) -> None:
    """It is a quarter of the bare endpoint, and 6 times the slow one."""
    assert shortfalls(GOOD, results) == []
    assert shortfalls(Row("good", None, floor=0.26, beats={"slow": 7}), results) == [
        "good: 0.25 times bare FastAPI endpoint, at least 0.26",
        "good: 6.00 times slow, at least 7",
    ]


def test_a_row_that_failed_falls_short(results: Results) -> None:
    """Even if its other rounds were good."""
    results.failures["good"] = "Non-2xx or 3xx responses: 12"

    assert shortfalls(GOOD, results) == ["good: not measured, Non-2xx or 3xx responses: 12"]
    assert rate_table([GOOD], results)[-1].endswith("| FAILED |")


@pytest.mark.parametrize(
    ("value", "said"), [(0.1, "BELOW FLOOR"), (0.2, "below goal"), (0.25, "good")]
)
def test_a_verdict_is_on_floor_and_goal(value: float, said: str) -> None:
    """A value equal to the floor or the goal reaches it."""
    assert verdict(value, 0.2, 0.25) == said
    assert verdict(value, None, None) == ""


def test_an_unanswered_request_counts_as_the_longest_wait() -> None:
    """If it were left out, a server that never responds would look best."""
    felt = Felt.of([0.001] * 50 + [None] * 50)

    assert (felt.unanswered, felt.requests) == (50, 100)
    assert felt.p99 == felt.worst == PATIENCE * 1000


def test_a_sample_counts_for_the_innermost_layer() -> None:
    """Time in the standard library counts for the layer that called it."""
    packages = "/somewhere/.venv/lib/python3.11/site-packages"
    http = "send (/tmp/project/widget-service/app/auth/provider.py:9)"
    samples = [
        f"run ({packages}/uvicorn/main.py:1);{http};loads (/usr/lib/python3.11/json/init.py:2) 1",
        f"run ({packages}/uvicorn/main.py:1);{http};post ({packages}/aiohttp/client.py:3) 2",
        f"run ({packages}/uvicorn/main.py:1);on ({packages}/fastapi/telemetry/asgi.py:3) 1",
    ]

    assert shares(samples) == [
        ("aiohttp", 0.5),
        ("app/auth/provider.py", 0.25),
        ("FastAPI's telemetry", 0.25),
    ]


def test_the_stub_waits_for_a_whole_request() -> None:
    """Clients send a head and a body in two pieces, or two requests in one."""
    request = post("/0/introspect", b"token=a", {})
    received = bytearray(request[:-1])

    assert take(received) is None
    received += request[-1:] + get("/0/introspect")
    assert take(received) == request.removesuffix(b"token=a")
    assert take(received) == get("/0/introspect")
    assert received == b""


@pytest.mark.parametrize("response", RESPONSES.values(), ids=map(bytes.decode, RESPONSES))
def test_an_answer_of_the_stub_is_complete(response: bytes) -> None:
    """Its length is that of its body."""
    head, _, body = response.partition(b"\r\n\r\n")

    assert f"\r\nContent-Length: {len(body)}".encode() in head
    assert json.loads(body)


def test_without_wrk_there_is_nothing_but_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is started."""
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setenv("PATH", "")

    assert "apt-get install wrk" in str(main([]))


def test_names_belong_together() -> None:
    """A row that is compared with another one names it."""
    rows: tuple[Row | HangingRow | RenderRow, ...] = (*ROWS, *HANGING_ROWS, *RENDER_ROWS)
    names = [row.name for row in rows]

    assert len(names) == len(set(names))
    assert {name for row in ROWS for name in row.beats} <= {row.name for row in ROWS}


def test_the_stub_has_what_the_rows_ask_for() -> None:
    """At the path that the settings of a server name."""
    target = introspection(5).variables["HYDRA_INTROSPECT_URL"].removeprefix("{provider}/5/")

    assert target.encode() in RESPONSES


def test_a_table_without_lines_is_left_out() -> None:
    """In a table with lines, the columns are aligned."""
    assert table(["row", "ratio"], []) == []
    assert table(["row", "ratio"], [["a", "1.0"]]) == [
        "| row | ratio |",
        "| --- | ----- |",
        "| a   | 1.0   |",
    ]
