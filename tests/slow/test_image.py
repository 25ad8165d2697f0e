"""The image of a service builds, and a container from it runs as one does in production."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import OWN_ENVIRONMENT
from tests.combinations import Answers
from tests.demo.processes import SETTINGS, free_ports
from tests.project import Project, render
from tests.slow import images
from tests.slow.images import Image

STOP = 10.0
"""Seconds between the signal to stop and the kill, in Docker. Kubernetes gives 30."""
OLDER = "click==8.1.8"
"""A version that the lock of the test names, and that no installation without it would choose."""

IMAGES: dict[str, Answers] = {
    "image of the default": {},
    "image of jwt with webhooks": {"validation_mode": "jwt", "include_webhooks": True},
}


@dataclass(frozen=True, slots=True)
class Built:
    """An image and the project that it was built from."""

    image: Image
    project: Project
    has_webhooks: bool


@dataclass(frozen=True, slots=True)
class Container:
    """A container that runs, beside the local provider of its project."""

    process: "subprocess.Popen[bytes]"
    url: str
    port: int
    token: str
    project: Project
    log: Path
    data: Path


@pytest.fixture(scope="module", params=list(IMAGES.values()), ids=list(IMAGES))
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[Built]:
    """Each image. With webhooks, the project has a lock."""
    if reason := images.missing():
        pytest.skip(reason)
    answers: Answers = request.param
    has_webhooks = bool(answers.get("include_webhooks"))
    project = render(tmp_path_factory.mktemp("project"), **answers)
    (project.path / ".env").write_text("AUDIENCE=of-a-developer\n", encoding="utf-8")
    if has_webhooks:
        lock(project)
    storage = images.Storage(tmp_path_factory.mktemp("images"))
    base = tmp_path_factory.getbasetemp()
    try:
        storage.add_base(images.make_base(base if worker_id == "master" else base.parent))
        yield Built(storage.build(project.path), project, has_webhooks)
    finally:
        storage.remove()


@pytest.fixture(scope="module")
def container(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A container that most tests only call."""
    with running(built, tmp_path_factory.mktemp("container")) as container:
        yield container


def lock(project: Project) -> None:
    """Lock the project's dependencies, one of them to a version that is not the newest."""
    beside = Path(sys.executable).parent
    uv = shutil.which("uv", path=f"{OWN_ENVIRONMENT['PATH']}{os.pathsep}{beside}")
    assert uv is not None
    options = ["--quiet", "--upgrade-package", OLDER, "--python", sys.executable]
    subprocess.run([uv, "lock", *options], cwd=project.path, env=OWN_ENVIRONMENT, check=True)


@contextmanager
def running(built: Built, folder: Path) -> Iterator[Container]:
    """Run a container beside a provider."""
    provider_port, port = free_ports(2)
    data = folder / "data"
    data.mkdir()
    os.chown(data, 10001, 10001)
    settings: dict[str, str] = json.loads(dev(built.project, "-c", SETTINGS.format(provider_port)))
    variables = {name: text for name, text in settings.items() if text.strip()}
    provider = ["-m", "dev", "provider", "--provider-port", str(provider_port)]
    with (
        subprocess.Popen([sys.executable, *provider], cwd=built.project.path) as dev_provider,
        built.image.run(built.image.command(port), data, folder / "log", variables) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(process, url, folder / "log")
            token = dev(built.project, "-m", "dev", "token", "--provider-port", str(provider_port))
            yield Container(process, url, port, token, built.project, folder / "log", data)
        finally:
            dev_provider.terminate()


def dev(project: Project, *arguments: str) -> str:
    """Run Python in the project, with the packages of these tests."""
    command = [sys.executable, "-B", *arguments]
    return subprocess.check_output(command, cwd=project.path, encoding="utf-8").strip()


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Wait until the service responds that it is ready."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url + "/health/ready", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"it did not become ready:\n{log.read_text(encoding='utf-8')}")


def test_an_image_holds_the_service_and_nothing_else(built: Built) -> None:
    """No tests, no provider of development, no settings of a developer; but what it was made of."""
    files = {path.name for path in (built.image.root / "srv").iterdir()}

    assert files == {"app", "pyproject.toml", "uv.lock"}
    assert not (built.image.root / "opt/uv").exists()


def test_an_image_takes_the_versions_of_the_lock(built: Built) -> None:
    """Where there is one. Packages that nothing imports stay away all the same."""
    packages = built.image.root / "opt/venv/lib/python3.11/site-packages"
    versions = {path.name.removesuffix(".dist-info") for path in packages.glob("*.dist-info")}
    names = {version.split("-")[0] for version in versions}

    assert (OLDER.replace("==", "-") in versions) == built.has_webhooks
    assert names.isdisjoint({"ecdsa", "pyasn1", "rsa", "pytest", "ruff"})


def test_a_container_runs_as_a_user_without_rights(container: Container) -> None:
    """With a number, as Kubernetes compares it, and with a root that it cannot write to."""
    status = Path(f"/proc/{container.process.pid}/status").read_text(encoding="utf-8")
    root = os.statvfs(f"/proc/{container.process.pid}/root")

    assert "\nUid:\t10001\t10001\t10001\t10001\n" in status
    assert root.f_flag & os.ST_RDONLY


def test_a_container_serves_protected_calls(container: Container) -> None:
    """With the log lines of the service in place of those of its server."""
    with httpx.Client(base_url=container.url, trust_env=False) as http:
        live = http.get("/health/live")
        granted = http.get("/widgets", headers={"Authorization": f"Bearer {container.token}"})
        refused = http.get("/widgets", headers={"Authorization": "Bearer unknown"})

    lines = [json.loads(line) for line in container.log.read_text(encoding="utf-8").splitlines()]
    assert (live.status_code, granted.status_code, refused.status_code) == (200, 200, 401)
    assert "server" not in live.headers
    loggers = {line["logger"] for line in lines if "widgets" in json.dumps(line)}
    assert loggers - {"app.auth.bearer"} == {"app.access"}


def test_the_health_check_tells_whether_it_serves(
    built: Built, container: Container, tmp_path: Path
) -> None:
    """Whatever proxy the environment names."""
    variables = {"http_proxy": "http://127.0.0.1:1"}
    outcomes = []
    for port in (container.port, 1):
        command = built.image.health_check(port)
        with built.image.run(command, container.data, tmp_path / "log", variables) as check:
            outcomes.append(check.wait(10))

    assert outcomes == [0, 1]


def test_events_are_on_the_volume(built: Built, container: Container) -> None:
    """A container that is replaced must not lose them."""
    if not built.has_webhooks:
        assert built.image.volumes == []
        return
    sent = ["send", "user.created", "--subject", "anna", "--port", str(container.port)]
    dev(built.project, "-m", "dev", *sent)

    folder = (built.image.root / built.image.volumes[0].lstrip("/")).stat()
    assert built.image.volumes == ["/var/lib/inbox"]
    assert (folder.st_uid, folder.st_mode & 0o777) == (10001, 0o700)
    assert (container.data / "inbox.sqlite").stat().st_uid == 10001


def test_a_container_stops_in_time(built: Built, tmp_path: Path) -> None:
    """A request in flight gets its response, one that never ends is cut."""
    with running(built, tmp_path) as container:
        ending, endless = begin_post(container), begin_post(container)
        time.sleep(0.5)
        container.process.terminate()
        stopped_at = time.monotonic()
        time.sleep(1)
        ending.sendall(b'{"name": "lever"}')
        response = ending.recv(65536)
        container.process.wait(STOP)

    assert time.monotonic() - stopped_at < STOP
    assert response.startswith(b"HTTP/1.1 201 ")
    ending.close()
    endless.close()


def begin_post(container: Container) -> socket.socket:
    """Send the headers of a request whose body is still to come."""
    connection = socket.create_connection(("127.0.0.1", container.port), timeout=STOP)
    headers = [
        "POST /widgets HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {container.token}",
        "Content-Type: application/json",
        "Content-Length: 17",
    ]
    connection.sendall("\r\n".join([*headers, "", ""]).encode())
    return connection
