"""What the log tells, and what it never tells."""

import json
import logging
import re
from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest

from app.auth.errors import AuthError, InvalidToken
from app.logging import configure_logging
from dev.provider import Provider
from tests.callers import bearer
from tests.conftest import IssueToken, Start

Records = Callable[[], list[dict[str, Any]]]
SECRETS = ["a" * 94, "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.", "s" * 9000]


@pytest.fixture
def records(capsys: pytest.CaptureFixture[str]) -> Records:
    """Return how to read the lines of the log, each of which is JSON."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_line_has_the_common_fields(records: Records) -> None:
    configure_logging("INFO", "json")
    configure_logging("INFO", "json")
    logging.getLogger("app.test").info("stored %d", 7, extra={"event_id": "a\nb"})
    (record,) = records()

    assert list(record) == ["timestamp", "level", "logger", "message", "event_id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record.pop("timestamp"))
    assert record == {
        "level": "info",
        "logger": "app.test",
        "message": "stored 7",
        "event_id": "a\nb",
    }


def test_exception_is_a_field(records: Records) -> None:
    configure_logging("INFO", "json")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("app.test").exception("failed")
    (record,) = records()

    assert record["exception"].endswith("ValueError: two\nlines")


@pytest.mark.parametrize("text", ["a\r\nb", "a\u2028b", "a\x1b[31mb"])
def test_console_line_cannot_be_forged(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "console")
    logging.getLogger("app.test").info(text, extra={"path": text})
    written = capsys.readouterr().err

    assert "info" in written
    assert len(written.splitlines()) == 1
    assert "\x1b" not in written


def test_level_is_that_of_the_setting(records: Records) -> None:
    configure_logging("ERROR", "json")
    logging.getLogger("app.test").warning("quiet")
    logging.getLogger("app.test").error("loud")

    assert [record["message"] for record in records()] == ["loud"]


def test_server_logs_no_query(records: Records) -> None:
    """The server logs the handshake of a WebSocket with its query, which may hold a token."""
    configure_logging("INFO", "json")
    server = logging.getLogger("uvicorn.error")
    server.setLevel(logging.INFO)
    server.info('%s - "WebSocket %s" 403', "127.0.0.1:1", "/a?access_token=x")
    server.info("Application startup complete.")
    logging.getLogger("uvicorn.access").info('"GET /a?access_token=x HTTP/1.1" 401')

    assert [record["message"] for record in records()] == ["Application startup complete."]


def test_refusal_shows_reason_and_no_token(
    start: Start, token: IssueToken, records: Records
) -> None:
    """The token shows as the first digits of its hash, enough to find it again."""
    foreign = token(aud=["https://billing.example"])
    for level in ("INFO", "DEBUG"):
        start(LOG_LEVEL=level).get("/widgets", headers=bearer(foreign))
    messages = [record["message"] for record in records()]
    refused = [text for text in messages if text.startswith("request refused")]

    assert len(refused) == 2
    assert re.fullmatch(r"request refused status=401 reason=audience token=\w{12}", refused[0])
    assert sum("audiences=['https://billing.example']" in text for text in messages) == 1
    assert foreign not in str(messages)


def test_nothing_shows_a_token(
    start: Start, provider: Provider, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    """In any way that a request can fail."""
    client = start(LOG_LEVEL="debug", IDP_TIMEOUT="0.05")
    secrets = [token(), token(token_use="refresh_token"), *SECRETS]
    responses = []
    for secret in secrets:
        responses += [
            client.get("/widgets", headers=bearer(secret)),
            client.get(f"/widgets?access_token={secret}", headers=bearer(secret)),
            client.get("/widgets", headers=[("Authorization", f"Bearer {secret}")] * 2),
            client.get("/widgets", headers=bearer(secret + " x")),
            client.post("/widgets", headers=bearer(secret), json={"name": "x"}),
        ]
    provider.outage = True
    responses.append(client.get("/widgets", headers=bearer(secrets[0])))
    provider.outage, provider.delay = False, 30
    responses.append(client.get("/widgets", headers=bearer(secrets[0])))
    written = capsys.readouterr().err

    assert written.count("request refused") == sum(not each.is_success for each in responses)
    written += "".join(response.text + str(response.headers) for response in responses)
    assert not [secret for secret in secrets if secret in written]


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_an_error(start: Start, records: Records, status: int) -> None:
    """Only an operator can fix them."""
    client = start(httpx.MockTransport(lambda _: httpx.Response(status)))
    client.get("/widgets", headers=bearer("opaque"))
    errors = [record["message"] for record in records() if record["level"] == "error"]

    assert errors
    assert all(text.startswith("identity provider refuses this service") for text in errors)


def test_refusals_hold_nothing_but_their_reason() -> None:
    """One that kept a token or a response would leave with the first traceback."""
    kept = {"message", "reason", "scopes", "status_code", "detail", "headers", "retry_after"}
    for kind in AuthError.__subclasses__():
        assert set(vars(cast(type[InvalidToken], kind)("reason"))) <= kept
