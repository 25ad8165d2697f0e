"""The measured processes, each on its core.

The servers have one core for themselves. The load, the stub provider and these scripts share
another one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.load import Unmeasured
from benchmarks.rows import Server
from benchmarks.signing import VARIABLE, key_sets
from tests.combinations import ROOT
from tests.project import Project, render
from tests.servers.processes import HOST, Process, free_port, running


@dataclass(frozen=True, slots=True)
class Running:
    """A running server and its URL."""

    process: Process
    url: str

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self.process.popen.pid

    @property
    def address(self) -> tuple[str, int]:
        """Its host and port."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port


@dataclass(frozen=True, slots=True)
class Bench:
    """What all measurements share: a temporary folder, the two cores and the stub provider."""

    folder: Path
    server_core: int
    provider: Running
    projects: dict[tuple[object, ...], Project] = field(default_factory=dict)

    @contextmanager
    def serving(self, server: Server | None) -> Iterator[Running]:
        """Run a server on its core, as a new process in a new folder."""
        if server is None:
            yield self.provider
            return
        root = ROOT if server.answers is None else self.project(server).path
        place = ["--app-dir", str(root), "--host", HOST, "--port", "0"]
        options = ["--no-access-log", "--timeout-graceful-shutdown", "1"]
        command = ["-m", "uvicorn", server.app, *place, *options]
        with ExitStack() as stack:
            urls = {"{provider}": self.provider.url, "{metrics}": str(free_port())}
            if "{redis}" in server.variables.values():
                urls["{redis}"] = stack.enter_context(self.redis())
            variables = {"LOG_LEVEL": "WARNING", **server.variables}
            for where, url in urls.items():
                variables = {name: text.replace(where, url) for name, text in variables.items()}
            it = stack.enter_context(self.python(command, variables, self.server_core))
            yield Running(it, address(it, r"Uvicorn running on (http://\S+)"))

    @contextmanager
    def redis(self) -> Iterator[str]:
        """Run an empty Redis server on the core of the load, and return its URL."""
        folder = Path(tempfile.mkdtemp(prefix="redis-", dir=self.folder))
        port = str(free_port())
        command = ["redis-server", "--port", port, "--bind", HOST, "--save", ""]
        if shutil.which(command[0]) is None:
            raise Unmeasured("redis-server is not installed")
        with running(command, folder, {}) as process:
            process.wait_for("Ready to accept connections")
            yield f"redis://{HOST}:{port}"

    def project(self, server: Server) -> Project:
        """Return the project of a server, rendered at its first use."""
        answers = server.answers or {}
        key = (server.template, *sorted(answers.items()))
        if key not in self.projects:
            into = Path(tempfile.mkdtemp(prefix="project-", dir=self.folder))
            self.projects[key] = render(into, server.template, accept_hooks=False, **answers)
        return self.projects[key]

    def version(self, commit: str) -> Path:
        """Return a folder with the template as it was at a commit or tag. Raises `Unmeasured`."""
        folder = Path(tempfile.mkdtemp(prefix="version-", dir=self.folder))
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True)
        if archive.returncode != 0:
            raise Unmeasured(f"There is no commit {commit}")
        subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
        return folder

    @contextmanager
    def python(
        self, arguments: list[str], variables: Mapping[str, str], core: int
    ) -> Iterator[Process]:
        """Run Python on a core, in a new folder, as long as the block lasts."""
        folder = Path(tempfile.mkdtemp(prefix="process-", dir=self.folder))
        with ExitStack() as stack:
            with on_core(core):
                command = [sys.executable, *arguments]
                process = stack.enter_context(running(command, folder, variables))
            yield process


def address(process: Process, line: str) -> str:
    """Return the address that a server prints when it is up. Raises `Unmeasured`."""
    try:
        return process.wait_for(line)[1]
    except AssertionError as problem:
        raise Unmeasured(str(problem)) from None


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run processes that start in this block on a core: they and their threads inherit it."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


@contextmanager
def open_bench() -> Iterator[Bench]:
    """Set up what all measurements share, and remove it at the end."""
    server_core, load_core = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, {load_core})
    folder = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    try:
        place = folder / "provider"
        place.mkdir()
        command = [sys.executable, "-m", "benchmarks.provider"]
        variables = {"PYTHONPATH": str(ROOT), VARIABLE: key_sets()}
        with running(command, place, variables) as process:
            url = address(process, r"Provider at (http://\S+)")
            yield Bench(folder, server_core, Running(process, url))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
