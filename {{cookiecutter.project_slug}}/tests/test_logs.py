"""What the log tells, and what it never tells."""

import io
import logging
import re

import httpx
import pytest

from app.logs import configure_logging
from dev.provider import Provider
from tests.callers import bearer
from tests.conftest import IssueToken, Start

UNSIGNED = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30."


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_refusal_has_a_reason(
    start: Start, token: IssueToken, capsys: pytest.CaptureFixture[str], level: str
) -> None:
    """The token shows as the first digits of its hash, and its audience at DEBUG only."""
    foreign = token(aud=["https://billing.example"])
    start(LOG_LEVEL=level).get("/probe", headers=bearer(foreign))
    written = capsys.readouterr().err

    assert re.search(
        r"INFO app.auth request refused status=401 reason=audience token=\w{12}\n", written
    )
    assert ("reason=audience audiences=['https://billing.example']" in written) is (
        level == "DEBUG"
    )
    assert foreign not in written


def test_no_token_is_logged_or_returned(
    start: Start, provider: Provider, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    """In any way that a request can fail."""
    client = start(LOG_LEVEL="debug", IDP_TIMEOUT="0.05")
    secrets = [token(), token(token_use="refresh_token"), "a" * 94, UNSIGNED, "s" * 9000]
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
    written += "".join(each.text + str(each.headers) for each in responses)
    assert not [secret for secret in secrets if secret in written]


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_an_error(
    start: Start, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    """Only an operator can fix it."""
    client = start(httpx.MockTransport(lambda _: httpx.Response(status)))
    client.get("/probe", headers=bearer("opaque"))
    written = capsys.readouterr().err

    assert re.search(r"ERROR app\.\S+ identity provider refuses this service", written)


def test_log_of_the_server_has_no_query() -> None:
    """A token in an address is refused, but the server logs the address."""
    configure_logging("INFO")
    server, stream = logging.getLogger("uvicorn.access"), io.StringIO()
    handler = logging.StreamHandler(stream)
    server.addHandler(handler)
    server.setLevel(logging.INFO)
    server.info('"%s %s HTTP/%s" %d', "GET", "/a?access_token=x", "1.1", 401)
    server.removeHandler(handler)

    assert stream.getvalue() == '"GET /a? HTTP/1.1" 401\n'


def test_record_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that is logged can pass for another record, not even a traceback."""
    configure_logging("WARNING")
    logger = logging.getLogger("app.test")
    logger.info("below the level")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.exception("a\r\nb\\n")
    written = capsys.readouterr().err

    assert written.count("\n") == 1
    assert "ERROR app.test a\\r\\nb\\\\n\\nTraceback" in written
    assert "ValueError: two\\nlines" in written
