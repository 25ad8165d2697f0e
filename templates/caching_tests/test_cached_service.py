"""The service with its memory on: what a caller sees, and what the operator does."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from app.auth.counters import Counters, report_regularly
from app.logs import configure_logging
from app.service import create_app
from app.services import AppSettings
from dev.processes import ROOT
from dev.provider import Provider
from tests.callers import Clock, bearer
from tests.conftest import ENVIRON, IssueToken, Start
from tests.remembering import running

WRITE = ("write:widgets",)
LINE = re.compile(r"INFO app.auth.cache cache ((?:\w+=\S+ ?)+)\n")


def status(client: TestClient, token: str) -> int:
    return client.get("/widgets", headers=bearer(token)).status_code


def counted(written: str) -> dict[str, str]:
    """Return the numbers of the last line about remembering."""
    return dict(pair.split("=") for pair in LINE.findall(written)[-1].split())


def test_a_scope_is_asked_for_on_a_hit(
    provider: Provider, clock: Clock, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    """I13: what is remembered is the answer, not that somebody was let in."""
    with running(provider, clock) as client:
        reader = bearer(token(scopes=("read:widgets",)))
        read = client.get("/widgets", headers=reader)
        written = client.post("/widgets", headers=reader, json={"name": "lever"})

    assert [read.status_code, written.status_code] == [200, 403]
    assert written.headers["www-authenticate"].endswith('scope="write:widgets"')
    assert counted(capsys.readouterr().err)["hits"] == "1"


@pytest.mark.parametrize("remember", [True, False])
def test_a_token_ends_at_its_second(
    start: Start, token: IssueToken, clock: Clock, remember: bool
) -> None:
    client = start(CLOCK_LEEWAY="0")
    short = token(lifetime=3)
    if remember:
        assert status(client, short) == 200
    clock.now += 2.9
    before = status(client, short)
    clock.now += 0.1

    assert [before, status(client, short)] == [200, 401]


def test_the_policy_is_asked_on_a_hit(start: Start, token: IssueToken, clock: Clock) -> None:
    """A clock that was set back: the token is not valid yet, whatever was remembered."""
    client = start(CLOCK_LEEWAY="0")
    good = token()
    before = status(client, good)
    clock.now -= 5

    assert [before, status(client, good)] == [200, 401]


async def many(provider: Provider, clock: Clock, token: str, number: int) -> list[int]:
    """Return what comes of so many first requests at once."""
    settings = AppSettings.read(ENVIRON)
    app = create_app(settings, transport=httpx.ASGITransport(provider), clock=clock)
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            """As a server does it, and `ASGITransport` alone does not."""
            await app({**scope, "state": dict(state or ())}, receive, send)

        wire = httpx.ASGITransport(with_state)
        caller = httpx.AsyncClient(transport=wire, base_url="http://service")
        calls = [caller.get("/widgets", headers=bearer(token)) for _ in range(number)]
        return [answer.status_code for answer in await asyncio.gather(*calls)]


@pytest.mark.anyio
async def test_a_hundred_first_requests_are_one_question(
    provider: Provider, clock: Clock, token: IssueToken
) -> None:
    """I11: nobody else is waiting at the provider for the same answer."""
    good = token()
    provider.delay = 0.05

    assert await many(provider, clock, good, 100) == [200] * 100
    assert provider.calls == 1


def test_a_token_that_is_remembered_needs_no_provider(
    client: TestClient, provider: Provider, token: IssueToken
) -> None:
    good = token()
    before = status(client, good)
    provider.outage = True

    assert [before, status(client, good)] == [200, 200]


def test_what_does_harm_is_asked_about_anew(
    provider: Provider, clock: Clock, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(provider, clock) as client:
        writer = bearer(token(scopes=WRITE))
        made = client.post("/widgets", headers=writer, json={"name": "lever"}).json()["id"]
        ends = [client.delete(f"/widgets/{made}", headers=writer).status_code for _ in range(2)]

    assert ends == [204, 404]
    numbers = counted(capsys.readouterr().err)
    assert (numbers["misses"], numbers["bypassed"], numbers["hits"]) == ("1", "2", "0")


def test_the_start_says_where_answers_are_remembered(
    provider: Provider, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(provider, clock):
        pass

    assert "remembered in this process, each process for itself\n" in capsys.readouterr().err


def test_the_end_says_how_it_went(
    provider: Provider, clock: Clock, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    """Numbers, and nothing about whom they are of."""
    with running(provider, clock) as client:
        good = token(subject="anna")
        outcomes = [status(client, good) for _ in range(3)]
    written = capsys.readouterr().err

    assert outcomes == [200] * 3
    assert counted(written) == {
        "hits": "2",
        "misses": "1",
        "negative_hits": "0",
        "coalesced": "0",
        "bypassed": "0",
        "store_errors": "0",
        "evictions": "0",
        "size": "1",
    }
    assert "anna" not in written
    assert good not in written


def test_redis_is_imported_only_where_it_is_wanted(tmp_path: Path) -> None:
    """The service starts faster without."""
    code = """
import sys
sys.modules["redis"] = None
from starlette.testclient import TestClient
from app.main import app
with TestClient(app):
    pass
"""
    environment = {**ENVIRON, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)

    assert (ended.returncode, ended.stderr.count(b"remembered in this process")) == (0, 1)


@pytest.mark.anyio
async def test_the_numbers_are_reported_regularly(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    counters = Counters(hits=3)
    reports = asyncio.create_task(report_regularly(counters, lambda: None, interval=0.01))
    written = ""
    async with asyncio.timeout(10):
        while len(LINE.findall(written)) < 2:
            await asyncio.sleep(0.01)
            written += capsys.readouterr().err
    reports.cancel()

    assert (counted(written)["hits"], counted(written)["size"]) == ("3", "-")


def test_junk_costs_one_question_and_no_room(
    start: Start, provider: Provider, token: IssueToken
) -> None:
    """I16: as many bad tokens as one likes, each as often as one likes."""
    client = start(CACHE_MAX_ENTRIES="20")
    good = token()
    status(client, good)
    for _ in range(3):
        outcomes = {status(client, f"junk-{number}") for number in range(10)}
        assert outcomes == {401}
    for number in range(200):
        status(client, f"junk-{number}")
    provider.outage = True

    assert status(client, good) == 200
    assert provider.calls <= 201


def test_a_public_redis_without_tls_is_warned_about(
    provider: Provider, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = ("redis://answers.example.com", "rediss://answers.example.com", "redis://10.0.0.7")
    for url in hosts:
        with running(provider, clock, CACHE_URL=url):
            pass

    assert capsys.readouterr().err.count("set CACHE_URL to rediss://") == 1
