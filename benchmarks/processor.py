"""What processes have taken of the processor, as the Linux kernel counts it."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def seconds_of(pid: int) -> float:
    """Return the seconds of processor time that a process has taken."""
    # The name of the program comes second, in parentheses, and may hold a space.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def seconds_of_all() -> float:
    """Return the seconds that all processes have taken on all cores, and that the host kept."""
    with Path("/proc/stat").open(encoding="utf-8") as lines:
        user, nice, system, _idle, _waiting, irq, softirq, steal = map(
            int, next(lines).split()[1:9]
        )
    return (user + nice + system + irq + softirq + steal) / TICKS


def taken_by_others(seconds: float = 0.5) -> float:
    """Return how many cores others use at the moment, while this process only waits."""
    before, start = seconds_of_all(), time.monotonic()
    time.sleep(seconds)
    return (seconds_of_all() - before) / (time.monotonic() - start)
