"""Processor time of processes, as the Linux kernel counts it."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def seconds_of(pid: int) -> float:
    """Return the processor time of a process in seconds."""
    # The name of the program comes second, in parentheses, and may hold a space.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def seconds_of_all() -> float:
    """Return the processor time of all processes on all cores, and that of the host, in seconds."""
    with Path("/proc/stat").open(encoding="utf-8") as lines:
        user, nice, system, _idle, _waiting, irq, softirq, steal = map(
            int, next(lines).split()[1:9]
        )
    return (user + nice + system + irq + softirq + steal) / TICKS


def taken_by_others(seconds: float = 0.5) -> float:
    """Return how many cores other processes use now, while this one only waits."""
    before, start = seconds_of_all(), time.monotonic()
    time.sleep(seconds)
    return (seconds_of_all() - before) / (time.monotonic() - start)
