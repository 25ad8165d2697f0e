"""No accepted event is lost or done twice, whatever happens to the processes."""

import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proof.conftest import StartService
from proof.support import Database, Service, eventually, postgresql, settings

DELIVERIES = 200
KILLS = 4
SENDERS = 8
IN_FLIGHT = 8
"""Events that one process works on at a time."""

pytestmark = pytest.mark.usefixtures("counting")


@pytest.fixture
def counting() -> None:
    """Need the handlers that leave a trace of every call."""
    assert "effects" in Path("app/webhooks/handlers.py").read_text()


def deliver_all(services: list[Service], ids: list[str]) -> None:
    """Send each event until it is accepted, as the platform does."""

    def deliver(number: int) -> None:
        while services[number % len(services)].deliver(ids[number]) != 200:
            time.sleep(0.05)
        time.sleep(0.02)

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(deliver, range(len(ids))))


def effects(database: Database) -> Counter[str]:
    return Counter(str(row[0]) for row in database.rows("SELECT id FROM effects"))


def calls(folder: Path) -> Counter[str]:
    return Counter((folder / "calls.txt").read_text().split())


def test_kill_loses_nothing_and_repeats_no_effect(
    service: StartService, database: Database, tmp_path: Path
) -> None:
    """Effects in the same database happen once; others again only for events in flight."""
    ids = [f"evt_{number}" for number in range(DELIVERIES)]
    one = service(HANDLER_SECONDS="0.02", LEASE="3")
    over = threading.Event()

    def kill_and_restart() -> None:
        for _ in range(KILLS):
            time.sleep(random.uniform(0.1, 0.6))  # noqa: S311
            one.kill()
            one.start()
        over.set()

    with ThreadPoolExecutor(2) as pool:
        killing = pool.submit(kill_and_restart)
        pool.submit(deliver_all, [one], ids).result()
        killing.result()
    eventually(lambda: database.states() == {"done": DELIVERIES}, lambda: database.states())

    assert over.is_set()
    assert effects(database) == Counter(ids)
    repeated = sum((calls(tmp_path) - Counter(ids)).values())
    assert repeated <= KILLS * IN_FLIGHT
    assert one.log.count("repeated=true") >= repeated // 2


def test_processes_share_an_inbox(service: StartService, database: Database) -> None:
    """Two on a file, three on a server: each event is done by one of them."""
    count = 3 if database.server else 2
    services = [service() for _ in range(count)]
    ids = [f"evt_{number}" for number in range(DELIVERIES)]
    deliver_all(services, ids)
    eventually(lambda: database.states() == {"done": DELIVERIES}, lambda: database.states())

    assert effects(database) == Counter(ids)


def test_events_of_a_killed_process_are_taken_over(
    service: StartService, database: Database
) -> None:
    """By another one, within 20 seconds."""
    slow = service(HANDLER_SECONDS="60")
    for number in range(3):
        assert slow.deliver(f"evt_{number}") == 200
    eventually(lambda: leased(database) == 3)
    slow.kill()
    other = service()
    begun = time.monotonic()
    eventually(lambda: database.states() == {"done": 3}, lambda: database.states())

    assert time.monotonic() - begun < 20
    assert other.log.count("repeated=true") == 3


def leased(database: Database) -> int:
    ((count,),) = database.rows("SELECT count(*) FROM inbox_events WHERE leased_by IS NOT NULL")
    return int(str(count))


def test_event_of_a_blocked_process_is_done_once(service: StartService, database: Database) -> None:
    """A stopped process stands for a blocked event loop. It goes on later, and must not write."""
    blocked = service(HANDLER_SECONDS="1", LEASE="3")
    assert blocked.deliver("evt_1") == 200
    eventually(lambda: leased(database) == 1)
    blocked.send(signal.SIGSTOP)
    other = service(LEASE="3")
    eventually(lambda: "webhook processed event_id=evt_1" in other.log, lambda: other.log)
    blocked.send(signal.SIGCONT)
    eventually(lambda: "webhook taken over event_id=evt_1" in blocked.log, lambda: blocked.log)

    assert effects(database) == Counter(["evt_1"])
    assert "webhook processed" not in blocked.log


def test_stopped_process_hands_its_events_over(service: StartService, database: Database) -> None:
    """At once, and no attempt counts."""
    slow = service(HANDLER_SECONDS="60")
    assert slow.deliver("evt_1") == 200
    eventually(lambda: leased(database) == 1)
    slow.stop()
    ((attempts, worker),) = database.rows("SELECT attempts, leased_by FROM inbox_events")

    assert (attempts, worker) == (0, None)
    assert database.rows("SELECT count(*) FROM inbox_workers") == [(0,)]


def test_processes_may_start_at_once_on_an_empty_database(
    service: StartService, database: Database
) -> None:
    services = [service(start=False) for _ in range(8)]
    for each in services:
        each.start(wait=False)
    for each in services:
        each.wait_until_up()

    assert services[7].deliver("evt_1") == 200
    eventually(lambda: database.states() == {"done": 1})
    assert all("Traceback" not in each.log for each in services)


def test_role_that_may_not_create_uses_what_is_there(tmp_path: Path) -> None:
    """The tables are created beforehand, by another role."""
    with postgresql() as database:
        one = Service(tmp_path, {**settings(), "INBOX_DATABASE_URL": database.url})
        one.start()
        one.stop()
        database.rows("CREATE ROLE weak LOGIN")
        database.rows("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        database.rows("GRANT ALL ON ALL TABLES IN SCHEMA public TO weak")
        weak = database.url.replace("inbox@", "weak@")
        two = Service(tmp_path, {**settings(), "INBOX_DATABASE_URL": weak})
        two.start()
        accepted = two.deliver("evt_1")
        two.stop()

    assert accepted == 200
