"""Describes the machine of the measurements."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = (
    "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "pydantic", "httpx", "httpx-aiohttp",
    "aiohttp", "requests", "cookiecutter",
)  # fmt: skip


def describe() -> list[str]:
    """Return a few lines about the machine and installed packages."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return [
        f"{os.cpu_count()} cores, {cpu[1] if cpu else platform.machine()}",
        f"{platform.system()} {platform.release()}, {python}, wrk {_wrk()}",
        ", ".join(f"{package} {version(package)}" for package in PACKAGES),
    ]


def lacks() -> str | None:
    """Return what this machine lacks to run the benchmarks, if anything."""
    if platform.system() != "Linux" or len(os.sched_getaffinity(0)) < 2:
        return "Measuring needs Linux and two cores: one for the server, one for the load."
    if shutil.which("wrk") is None:
        return (
            "The load comes from wrk, and there is none on this machine: `apt-get install wrk`,"
            " or build it from https://github.com/wg/wrk and put it on the search path."
        )
    return None


def _wrk() -> str:
    # It prints its version with a usage message, and fails.
    about = subprocess.run(["wrk", "-v"], capture_output=True, encoding="utf-8", timeout=10)
    found = re.search(r"^wrk \S*?([\d.]+)", about.stdout + about.stderr)
    return found[1] if found else "of an unknown version"
