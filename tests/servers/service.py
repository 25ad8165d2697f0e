"""The rendered service as a process, as it runs in production."""

import hashlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.project import Project
from tests.servers.processes import HOST, Process, running


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, and who calls it."""

    process: Process
    http: httpx.Client

    def get(self, token: str) -> httpx.Response:
        """Call the route that any good token opens."""
        return self.http.get("/widgets", headers=bearer(token))

    def post(self, token: str) -> httpx.Response:
        """Call a route that needs `write:widgets`."""
        return self.http.post("/widgets", headers=bearer(token), json={"name": "lever"})

    def reason(self, token: str) -> str | None:
        """Return the reason that the log gives for the last refusal of `token`, if any."""
        digest = hashlib.sha256(token.encode()).hexdigest()[:12]
        reasons = re.findall(rf"reason=(\w+) token={digest}$", self.process.output(), flags=re.M)
        return reasons[-1] if reasons else None


@contextmanager
def start(project: Project, folder: Path, **variables: str) -> Iterator[Service]:
    """Run the service in an empty folder, with `variables` as its settings."""
    app = ["app.main:app", "--app-dir", str(project.path), "--host", HOST, "--port", "0"]
    command = [sys.executable, "-m", "uvicorn", *app, "--timeout-graceful-shutdown", "2"]
    # The project stays as it was rendered
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "CLOCK_LEEWAY": "0", **variables}
    with running(command, folder, environment) as process:
        url = process.wait_for(r"Uvicorn running on (http://\S+)")[1]
        with httpx.Client(base_url=url, trust_env=False) as http:
            yield Service(process, http)


def bearer(token: str) -> dict[str, str]:
    """Return the headers of a caller who has `token`."""
    return {"Authorization": f"Bearer {token}"}
