"""Further records, and the spans that the framework writes."""

import io
import logging
from typing import cast

import pytest
from opentelemetry import trace
from starlette.testclient import TestClient

from app.auth.errors import AuthError, NotAuthenticated
from app.logs import configure_logging
from tests.callers import bearer
from tests.conftest import IssueToken


def test_escape_is_told_from_a_line_break(capsys: pytest.CaptureFixture[str]) -> None:
    """A backslash and an `n` of a caller stay what they were. No line is written twice."""
    configure_logging("INFO")
    configure_logging("INFO")
    logging.getLogger("app.test").info("a\\nb\nc")

    assert capsys.readouterr().err.endswith("app.test a\\\\nb\\nc\n")


def test_level(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("ERROR")
    logging.getLogger("app.test").warning("quiet")
    logging.getLogger("app.test").error("loud")
    written = capsys.readouterr().err

    assert written.count("\n") == 1
    assert "loud" in written


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
def test_log_of_the_server_has_no_query(
    name: str, words: str, values: tuple[object, ...], line: str
) -> None:
    configure_logging("INFO")
    server, stream = logging.getLogger(name), io.StringIO()
    handler = logging.StreamHandler(stream)
    server.addHandler(handler)
    server.setLevel(logging.INFO)
    server.info(words, *values)
    server.removeHandler(handler)

    assert stream.getvalue() == line


def test_errors_hold_only_a_reason() -> None:
    """A subclass that kept a token or a response would show it in the first traceback."""
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


def test_no_span_has_a_token(client: TestClient, token: IssueToken, spans: list[object]) -> None:
    """The framework writes the query into its spans, so a request with a token there gets none."""
    client.get("/probe?page=1", headers=bearer(token()))
    before = len(spans)
    client.get("/probe?page=1&access_token=secret", headers=bearer(token()))

    assert before > 0
    assert len(spans) == before
