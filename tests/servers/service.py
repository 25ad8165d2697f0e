"""The rendered service as a process, as it runs in production."""

import hashlib
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from tests import HOME
from tests.combinations import QUESTIONS, Answers
from tests.project import Project
from tests.servers.authorization_server import AUDIENCE, AuthorizationServer
from tests.servers.processes import HOST, Process, running

NO_FEATURES: Answers = {name: False for name, value in QUESTIONS.items() if isinstance(value, bool)}
"""Without caching, so a change at the server takes effect at the next call."""

HURRIED = """
    import time

    from app.main import create_app

    begin = time.time()
    app = create_app(clock=lambda: begin + (time.time() - begin) * {speed})
"""
"""The application with an accelerated clock."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service and its caller."""

    process: Process
    http: httpx.Client

    def get(self, token: str) -> httpx.Response:
        """Call the route that needs a valid token."""
        return self.http.get("/widgets", headers=bearer(token))

    def post(self, token: str) -> httpx.Response:
        """Call a route that needs `write:widgets`."""
        return self.http.post("/widgets", headers=bearer(token), json={"name": "lever"})

    def reason(self, token: str) -> str | None:
        """Return the reason in the log for the last refusal of `token`, if any."""
        digest = hashlib.sha256(token.encode()).hexdigest()[:12]
        reasons = re.findall(rf"reason=(\w+) token={digest}\b", self.process.output())
        return reasons[-1] if reasons else None


class StartService(Protocol):
    """Starts the service beside a server. `variables` add to those that it needs."""

    def __call__(
        self, server: AuthorizationServer, **variables: str
    ) -> AbstractContextManager[Service]:
        """Return the running service, as long as a block lasts."""


@contextmanager
def start(
    project: Project, folder: Path, variables: Mapping[str, str], speed: int = 1
) -> Iterator[Service]:
    """Run the service in an empty folder, with `variables` as its settings.

    Its clock is `speed` times as fast.
    """
    app = "app.main:app"
    if speed != 1:
        launcher = textwrap.dedent(HURRIED.format(speed=speed))
        (folder / "hurried.py").write_text(launcher, encoding="utf-8")
        app = "hurried:app"
    options = ["--app-dir", str(folder), "--host", HOST, "--port", "0"]
    command = [sys.executable, "-m", "uvicorn", app, *options, "--timeout-graceful-shutdown", "2"]
    environment = {
        "PYTHONPATH": str(project.path),
        # The project stays as it was rendered, and later starts reuse the compiled files.
        "PYTHONPYCACHEPREFIX": str(Path(HOME, "compiled")),
        "CLOCK_LEEWAY": "0",
        **variables,
    }
    with running(command, folder, environment) as process:
        url = process.wait_for(r"Uvicorn running on (http://\S+)")[1]
        with httpx.Client(base_url=url, trust_env=False) as http:
            yield Service(process, http)


def jwt_settings(server: AuthorizationServer) -> dict[str, str]:
    """Return the settings of a service that verifies the JWTs of `server`."""
    return {
        "OLYMPUS_ISSUER": server.metadata["issuer"],
        "OLYMPUS_JWKS_URL": server.metadata["jwks_uri"],
        "JWT_ALGORITHMS": "RS256,ES256",
        "AUDIENCE": AUDIENCE,
    }


def bearer(token: str) -> dict[str, str]:
    """Return the headers of a request with `token`."""
    return {"Authorization": f"Bearer {token}"}
