"""Runs pytest in forks of one process that has imported what every run would import.

    python forks.py <seconds for a run> <module to import> ...

Reads a run a line, `[folder, file for the output, argument, ...]` in JSON, and prints its exit
status. It stands alone, as the project's Python runs it, which knows nothing of the template.
"""

import gc
import importlib
import json
import os
import signal
import sys
from contextlib import suppress

import pytest


def main() -> None:
    """Run what standard input says until it ends."""
    time_limit, *modules = sys.argv[1:]
    for module in modules:
        with suppress(ImportError):  # not every project needs each of them
            importlib.import_module(module)
    gc.freeze()  # pytest collects garbage in each fork, and none of it is in here
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(int(time_limit), *json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run(time_limit: int, folder: str, output: str, *arguments: str) -> None:
    """Run pytest in `folder` and end this process, by the alarm when it takes too long."""
    signal.alarm(time_limit)
    os.chdir(folder)
    sys.path[0] = folder
    written = os.open(output, os.O_WRONLY)
    os.dup2(written, 1)
    os.dup2(written, 2)
    status = pytest.main(list(arguments))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
