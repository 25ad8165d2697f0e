"""What the log tells, and what it never tells."""

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.logging import configure_logging
from dev.provider import Provider
from tests.callers import bearer
from tests.conftest import CallAs, IssueToken, Start

Records = Callable[[], list[dict[str, Any]]]
SECRETS = ["a" * 94, "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.", "s" * 9000]


@pytest.fixture
def records(capsys: pytest.CaptureFixture[str]) -> Records:
    """Return how to read the lines of the log, each of which is JSON."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_line_has_the_common_fields(records: Records) -> None:
    configure_logging("INFO", "json")
    configure_logging("INFO", "json")
    logging.getLogger("app.test").debug("below the level")
    logging.getLogger("app.test").info("stored %d", 7, extra={"event_id": "a\nb"})
    (record,) = records()

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record.pop("timestamp"))
    assert record == {
        "level": "info",
        "logger": "app.test",
        "message": "stored 7",
        "event_id": "a\nb",
    }


@pytest.mark.parametrize("text", ["a\r\nb", "a\u2028b", "a\x1b[31mb"])
def test_console_line_cannot_be_forged(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "console")
    logging.getLogger("app.test").info(text, extra={"path": text})
    written = capsys.readouterr().err

    assert len(written.splitlines()) == 1
    assert "\x1b" not in written


def test_server_logs_no_query(records: Records) -> None:
    """The server logs the handshake of a WebSocket with its query, which may hold a token."""
    configure_logging("INFO", "json")
    server = logging.getLogger("uvicorn.error")
    server.setLevel(logging.INFO)
    server.info('%s - "WebSocket %s" 403', "127.0.0.1:1", "/a?access_token=x")
    server.info("Application startup complete.")
    logging.getLogger("uvicorn.access").info('"GET /a?access_token=x HTTP/1.1" 401')

    assert [record["message"] for record in records()] == ["Application startup complete."]


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_refusal_shows_its_reason(
    start: Start, token: IssueToken, records: Records, level: str
) -> None:
    """The token shows as the first digits of its hash, and its audience at DEBUG only."""
    foreign = token(aud=["https://billing.example"])
    start(LOG_LEVEL=level).get("/probe", headers=bearer(foreign))
    text = "\n".join(record["message"] for record in records())

    assert re.search(r"request refused status=401 reason=audience token=\w{12}\n", text)
    assert ("audiences=['https://billing.example']" in text) is (level == "DEBUG")
    assert foreign not in text


def test_nothing_shows_a_token(
    start: Start, provider: Provider, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    """In any way that a request can fail."""
    client = start(LOG_LEVEL="debug", IDP_TIMEOUT="0.05")
    secrets = [token(), token(token_use="refresh_token"), *SECRETS]
    responses = []
    for secret in secrets:
        responses += [
            client.get("/probe", headers=bearer(secret)),
            client.get(f"/probe?access_token={secret}", headers=bearer(secret)),
            client.get("/probe", headers=[("Authorization", f"Bearer {secret}")] * 2),
            client.get("/probe", headers=bearer(secret + " x")),
            client.post("/probe", headers=bearer(secret), json={"text": "x"}),
        ]
    for provider.outage, provider.delay in (True, 0), (False, 30):
        responses.append(client.get("/probe", headers=bearer(secrets[0])))
    written = capsys.readouterr().err

    assert written.count("request refused") == sum(not each.is_success for each in responses)
    written += "".join(response.text + str(response.headers) for response in responses)
    assert not [secret for secret in secrets if secret in written]


def test_refused_credentials_are_an_error(start: Start, records: Records) -> None:
    """Only an operator can fix them."""
    client = start(httpx.MockTransport(lambda _: httpx.Response(401)))
    client.get("/probe", headers=bearer("opaque"))
    errors = [record["message"] for record in records() if record["level"] == "error"]

    assert errors
    assert all(text.startswith("identity provider refuses this service") for text in errors)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """Return the fields of the lines about requests."""
    names = ("method", "route", "status", "client_id")
    found = [vars(record) for record in caplog.records if record.name == "app.access"]
    return [{name: fields[name] for name in names if name in fields} for fields in found]


def test_each_request_has_a_line(as_machine: CallAs, caplog: pytest.LogCaptureFixture) -> None:
    """With the path of its route, and without its own path and query."""
    caplog.set_level(logging.INFO)
    caller = as_machine("batch")
    caller.get("/health/live?a=1")
    caller.get("/probe/notes/7")
    caller.request("BREW", "/unknown")

    assert lines(caplog) == [
        {"method": "GET", "route": "/health/live", "status": 200},
        {"method": "GET", "route": "/probe/notes/{name}", "status": 403, "client_id": "batch"},
        {"method": "other", "route": "unmatched", "status": 404},
    ]


IDS = {"A-z_0.9" * 18: True, "": False, "a b": False, "x" * 129: False, "é": False}


@pytest.mark.parametrize(("sent", "is_kept"), IDS.items())
def test_request_id(client: TestClient, sent: str, is_kept: bool) -> None:
    """A plain one is kept. Every response has one, a refusal too."""
    for path in ("/health/live", "/unknown", "/probe"):
        response = client.get(path, headers=[(b"X-Request-ID", sent.encode())])
        received = response.headers["x-request-id"]

        assert (received == sent) is is_kept
        assert is_kept or len(received) == 32


def test_unhandled_exception(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """The caller sees an id that the log has too, and nothing of the exception."""

    def add(app: FastAPI) -> None:
        @app.get("/broken")
        async def broken() -> None:
            raise ValueError("secret")

    app = start(prepare=add).app
    caplog.set_level(logging.INFO)
    response = TestClient(app, raise_server_exceptions=False).get("/broken")

    assert (response.status_code, response.text) == (500, "Internal Server Error")
    assert len(response.headers["x-request-id"]) == 32
    assert lines(caplog)[-1] == {"method": "GET", "route": "/broken", "status": 500}
