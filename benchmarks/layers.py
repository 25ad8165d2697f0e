"""Where the time of a request goes: the samples of `py-spy`, summed up by layer.

A sample counts for the innermost frame that belongs to a layer. So what the standard library and
compiled code take counts for the layer that called them.
"""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable

from benchmarks.load import Unmeasured, put_load
from benchmarks.rows import Row
from benchmarks.servers import Bench

SECONDS = 12
RATE = 250
"""Samples a second. Many more would slow down what is measured."""

LAYERS = (
    (re.compile(r"/fastapi/telemetry/|/site-packages/opentelemetry/"), "FastAPI's telemetry"),
    (re.compile(r"/site-packages/(\w+)/"), r"\1"),
    (re.compile(r"/(app/[\w/]+\.py):"), r"\1"),
    (re.compile(r"/(benchmarks/apps/\w+\.py):"), r"\1"),
    (re.compile(r"/asyncio/"), "asyncio, uvloop"),
)
"""The names of layers, by the file of a frame. The first pattern that matches decides."""


def profile(row: Row, bench: Bench) -> list[tuple[str, float]]:
    """Put load on the server of a row, and return the share of each layer, the largest first.

    Raises `Unmeasured`.
    """
    if shutil.which("py-spy") is None:
        raise Unmeasured("a profile comes from py-spy: `pip install py-spy`")
    samples = bench.folder / "samples"
    with bench.serving(row.server) as server:
        put_load(server.url, row.requests(), bench.folder, 1)
        options = ["--pid", str(server.pid), "--duration", str(SECONDS), "--rate", str(RATE)]
        files = ["--format", "raw", "--full-filenames", "--output", str(samples)]
        with subprocess.Popen(
            ["py-spy", "record", *options, *files],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as recorder:
            try:
                put_load(server.url, row.requests(), bench.folder, SECONDS + 1)
                _, problem = recorder.communicate(timeout=30)
            except BaseException:
                recorder.kill()
                raise
    if recorder.returncode != 0:
        raise Unmeasured(f"py-spy failed: {problem.decode(errors='replace').strip()}")
    return shares(samples.read_text(encoding="utf-8").splitlines())


def shares(samples: Iterable[str]) -> list[tuple[str, float]]:
    """Return the share of each layer in samples of the form `outer;inner;innermost count`."""
    counts: Counter[str] = Counter()
    for line in samples:
        stack, _, count = line.rpartition(" ")
        counts[layer(stack.split(";"))] += int(count)
    return [(name, count / counts.total()) for name, count in counts.most_common()]


def layer(stack: Iterable[str]) -> str:
    """Return the layer of a stack of frames."""
    for frame in reversed(list(stack)):
        for pattern, name in LAYERS:
            if found := pattern.search(frame):
                return found.expand(name)
    return "other"
