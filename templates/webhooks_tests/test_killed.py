"""That nothing is lost when the process is killed at any moment, and little is done twice."""

import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from dev.calls import CallFailed
from dev.environment import HOST, Endpoints, bare_environment
from dev.processes import free_ports, running, service_command, wait_until_up
from dev.signing import deliver, signed
from dev.variables import service_settings
from tests.webhooks.conftest import body, eventually
from tests.webhooks.databases import postgresql

DELIVERIES = 200
KILLS = 3
SENDERS = 8
PACE = 0.05
"""Seconds from one delivery of a sender to its next, so that there are some at any moment."""

RECORD = re.compile(r"webhook processed event_id=(\S+) event_type=\S+( repeated=true)?$", re.M)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Run with each kind of database."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield f"sqlite:///{tmp_path}/inbox.sqlite"
        else:
            yield stack.enter_context(postgresql())


class Service:
    """The service as a process, which is killed and started again."""

    def __init__(self, database: str, folder: Path) -> None:
        (self._port,) = free_ports(1)
        self.url = f"http://{HOST}:{self._port}"
        self._folder = folder
        self._log = folder / "service.log"
        settings = service_settings(Endpoints.local(9, 9))
        self._environment = bare_environment({**settings, "INBOX_DATABASE_URL": database})

    def run_for(self, seconds: float | None) -> None:
        """Start it, and kill it after so many seconds. `None`: when everything is processed."""
        with (
            self._log.open("ab") as output,
            running(
                service_command(self._port, "--no-access-log"),
                environment=self._environment,
                folder=self._folder,
                output=output,
            ) as process,
        ):
            wait_until_up(process, self.url + "/health/live")
            if seconds is None:
                eventually(lambda: len(self.records()) == DELIVERIES, seconds=60)
                return
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
            process.wait()

    def records(self) -> dict[str, list[bool]]:
        """Return for each event that was processed which of its records say `repeated`."""
        found: dict[str, list[bool]] = {}
        for event_id, repeated in RECORD.findall(self._log.read_text()):
            found.setdefault(event_id, []).append(bool(repeated))
        return found


def send(service: Service, event_id: str, stop: threading.Event) -> None:
    """Send an event until it is taken, as the platform does."""
    content = body(event_id)
    while not stop.is_set():
        time.sleep(PACE)
        try:
            if deliver(service.url, content, signed(content)).status == 200:
                return
        except CallFailed:
            pass


def test_kill_9_loses_nothing(database: str, tmp_path: Path) -> None:
    """W12: each event that got its 200 is processed, and one record says so.

    Where the process was killed over an event there may be one more, which says `repeated`.
    """
    service, stop = Service(database, tmp_path), threading.Event()
    ids = [f"evt_{number}" for number in range(DELIVERIES)]
    moments = [random.uniform(0.02, 0.3) for _ in range(KILLS)]  # noqa: S311 - no secret
    with ThreadPoolExecutor(SENDERS) as senders:
        sent = [senders.submit(send, service, event_id, stop) for event_id in ids]
        try:
            for moment in moments:
                service.run_for(moment)
            service.run_for(None)
        finally:
            stop.set()
    records = service.records()

    assert all(future.done() and future.exception() is None for future in sent)
    assert set(records) == set(ids), f"killed after {moments}"
    firsts = Counter(repeated.count(False) for repeated in records.values())
    assert set(firsts) <= {0, 1}, f"killed after {moments}"
    # Each kill interrupts what the senders had in flight, and nothing that was done before.
    agains = sum(len(repeated) - 1 for repeated in records.values())
    assert agains <= KILLS * SENDERS, f"killed after {moments}"
