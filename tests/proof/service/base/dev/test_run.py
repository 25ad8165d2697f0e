"""The commands for development: `python -m dev`."""

import os
import re
import signal
import subprocess
import sys

import httpx

from dev.processes import ROOT, listen
from tests.ports import free_ports
from tests.routes import VARIABLES


def test_run_serves_and_ends() -> None:
    """The printed `curl` line works, and SIGTERM ends both servers, as Ctrl-C does."""
    port, provider_port = free_ports(2)
    command = [sys.executable, "-m", "dev", "run", "--port", str(port)]
    command += ["--provider-port", str(provider_port)]
    environment = {"PATH": os.environ["PATH"], **VARIABLES}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "curl" in line)
        found = re.fullmatch(r"  curl -H 'Authorization: (Bearer \S+)' (\S+)\n", line)
        assert found is not None
        response = httpx.get(found[2], headers={"Authorization": found[1]}, trust_env=False)
        # Not SIGINT: a shell that runs the tests in the background has them ignore it.
        process.send_signal(signal.SIGTERM)
        try:
            exit_code = process.wait(20)
        finally:
            process.kill()

    assert (response.status_code, exit_code) == (200, 128 + signal.SIGTERM)
    for ended in (port, provider_port):
        listen(ended, "").close()
