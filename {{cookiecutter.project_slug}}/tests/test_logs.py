"""What the log tells, and what it never tells."""

import io
import logging
import re
from typing import cast

import httpx
import pytest
from opentelemetry import trace
from starlette.testclient import TestClient

from app.auth.errors import AuthError, NotAuthenticated
from app.logs import configure_logging
from dev.provider import Provider
from tests.callers import bearer
from tests.conftest import IssueToken, Start

UNKNOWN = "a" * 94
UNSIGNED = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30."


def test_a_refusal_is_logged_with_its_reason_and_without_the_token(
    start: Start, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    """L1: the token shows as the first digits of its hash, enough to find it again."""
    foreign = token(aud=["https://billing.example"])
    start().get("/widgets", headers=bearer(foreign))
    written = capsys.readouterr().err

    assert re.search(
        r"INFO app.auth request refused status=401 reason=audience token=\w{12}\n", written
    )
    assert foreign not in written


def test_no_log_line_and_no_answer_holds_a_token(
    start: Start, provider: Provider, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    """L1: in any way that a request can fail."""
    client = start(LOG_LEVEL="debug", IDP_TIMEOUT="0.05")
    secrets = [token(), token(token_use="refresh_token"), UNKNOWN, UNSIGNED, "s" * 9000]
    answers = []
    for secret in secrets:
        answers += [
            client.get("/widgets", headers=bearer(secret)),
            client.get(f"/widgets?access_token={secret}", headers=bearer(secret)),
            client.get("/widgets", headers=[("Authorization", f"Bearer {secret}")] * 2),
            client.get("/widgets", headers=bearer(secret + " x")),
            client.post("/widgets", headers=bearer(secret), json={"name": "x"}),
        ]
    provider.outage = True
    answers.append(client.get("/widgets", headers=bearer(secrets[0])))
    provider.outage, provider.delay = False, 30
    answers.append(client.get("/widgets", headers=bearer(secrets[0])))
    written = capsys.readouterr().err

    assert written.count("request refused") == sum(not answer.is_success for answer in answers)
    written += "".join(answer.text + str(answer.headers) for answer in answers)
    assert not [secret for secret in secrets if secret in written]


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_loud(
    start: Start, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    """I8: only an operator can fix it, so it is an ERROR."""
    client = start(httpx.MockTransport(lambda _: httpx.Response(status)))
    client.get("/widgets", headers=bearer("opaque"))

    written = capsys.readouterr().err

    assert re.search(r"ERROR app\.\S+ identity provider refuses this service", written)


def test_the_audiences_of_a_refused_token_are_shown_at_debug(
    start: Start, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = token(aud=["https://billing.example"])
    for level in ("INFO", "DEBUG"):
        start(LOG_LEVEL=level).get("/widgets", headers=bearer(foreign))
    quiet, loud = capsys.readouterr().err.split("reason=audience token=")[:2]

    assert "billing" not in quiet
    assert "reason=audience audiences=['https://billing.example']" in loud
    assert foreign not in quiet + loud


LINES = {
    "request": (
        "uvicorn.access",
        '%s - "%s %s HTTP/%s" %d',
        ("127.0.0.1:1", "GET", "/a?access_token=x", "1.1", 401),
        '127.0.0.1:1 - "GET /a? HTTP/1.1" 401\n',
    ),
    "handshake": (
        "uvicorn.error",
        '%s - "WebSocket %s" 403',
        ("127.0.0.1:1", "/a?access_token=x"),
        '127.0.0.1:1 - "WebSocket /a?" 403\n',
    ),
}


@pytest.mark.parametrize(("name", "words", "values", "line"), LINES.values(), ids=LINES)
def test_the_servers_log_shows_no_query(
    name: str, words: str, values: tuple[object, ...], line: str
) -> None:
    """A token in an address is refused, but the server has logged the address by then."""
    configure_logging("INFO")
    server = logging.getLogger(name)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    server.addHandler(handler)
    server.setLevel(logging.INFO)
    server.info(words, *values)
    server.removeHandler(handler)

    assert stream.getvalue() == line


def test_a_record_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that is logged can pass for another record, not even a traceback."""
    configure_logging("INFO")
    configure_logging("INFO")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("app.test").exception("a\r\nb")
    written = capsys.readouterr().err

    assert written.count("\n") == 1
    assert "ERROR app.test a\\r\\nb\\nTraceback" in written
    assert "ValueError: two\\nlines" in written


def test_an_escape_in_a_record_is_told_from_a_line_break(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a caller sent as a backslash and an `n` stays what it was."""
    configure_logging("INFO")
    logging.getLogger("app.test").info("a\\nb\nc")

    assert capsys.readouterr().err.endswith("app.test a\\\\nb\\nc\n")


def test_the_level_is_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("ERROR")
    logging.getLogger("app.test").warning("quiet")
    logging.getLogger("app.test").error("loud")

    assert "quiet" not in (written := capsys.readouterr().err)
    assert "loud" in written


def test_errors_hold_nothing_but_their_reason() -> None:
    """A subclass that kept a token or an answer would leave with the first traceback."""
    kept = {"reason", "scopes", "status_code", "detail", "headers", "retry_after", "lacks"}
    for kind in AuthError.__subclasses__():
        refusal = cast(type[NotAuthenticated], kind)("reason")
        assert set(vars(refusal)) <= kept


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the attributes of the spans that the framework starts."""
    started: list[object] = []

    class Recorder(trace.NoOpTracer):
        def start_span(self, *_: object, attributes: object = None, **__: object) -> trace.Span:
            started.append(attributes)
            return trace.INVALID_SPAN

    class Provider(trace.TracerProvider):
        def get_tracer(self, *_: object, **__: object) -> trace.Tracer:
            return Recorder()

    monkeypatch.setattr(trace, "get_tracer_provider", Provider)
    return started


def test_no_span_holds_a_token(client: TestClient, token: IssueToken, spans: list[object]) -> None:
    """The framework writes the query into its spans, so a request with a token there gets none."""
    client.get("/widgets?page=1", headers=bearer(token()))
    before = len(spans)
    client.get("/widgets?page=1&access_token=secret", headers=bearer(token()))

    assert before > 0
    assert len(spans) == before
