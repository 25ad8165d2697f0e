"""The load: `wrk` with one thread and 32 connections, and its report."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.combinations import ROOT

CONNECTIONS = 32
PATIENCE = 8
"""Seconds until a response counts as missing. The guide's way is slow."""

SCRIPT = ROOT / "benchmarks" / "requests.lua"
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Unmeasured(Exception):
    """A server or a tool failed, so there is no measurement."""


@dataclass(frozen=True, slots=True)
class Load:
    """A report of `wrk`. Times are in milliseconds."""

    requests: int
    per_second: float
    p50: float
    p99: float


def put_load(url: str, requests: Sequence[bytes], folder: Path, seconds: int) -> Load:
    """Send `requests` in turn for `seconds`. Raises `Unmeasured` if a response is no success."""
    messages = folder / "requests"
    messages.write_bytes(b"\0".join(requests))
    return parse(_wrk(url, messages, seconds))


def _wrk(url: str, messages: Path, seconds: int) -> str:
    command = ["wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={seconds}s"]
    options = ["--latency", f"--timeout={PATIENCE}s", f"--script={SCRIPT}", url]
    try:
        result = subprocess.run(
            [*command, *options, "--", str(messages)],
            capture_output=True,
            encoding="utf-8",
            timeout=seconds + PATIENCE + 10,
        )
    except subprocess.TimeoutExpired:
        raise Unmeasured("wrk did not end in time") from None
    if result.returncode != 0:
        raise Unmeasured(f"wrk failed: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def parse(output: str) -> Load:
    """Read the report of `wrk --latency`. Raises `Unmeasured` if it has failures."""
    for failures in (r"Non-2xx or 3xx responses: \d+", r"Socket errors: .*"):
        if found := re.search(failures, output):
            raise Unmeasured(found[0])
    return Load(
        requests=int(_find(r"(\d+) requests in ", output)[1]),
        per_second=float(_find(r"Requests/sec: +([\d.]+)", output)[1]),
        p50=_percentile(50, output),
        p99=_percentile(99, output),
    )


def _percentile(percent: int, output: str) -> float:
    found = _find(rf"^ +{percent}% +([\d.]+)(us|ms|s|m) *$", output)
    return float(found[1]) * _MILLISECONDS[found[2]]


def _find(pattern: str, output: str) -> re.Match[str]:
    found = re.search(pattern, output, flags=re.MULTILINE)
    if found is None:
        raise Unmeasured(f"the report of wrk has an unknown format:\n{output}")
    return found
