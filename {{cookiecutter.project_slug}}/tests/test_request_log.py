"""The id of a request, and its line in the log."""

import logging

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.callers import bearer
from tests.conftest import IssueToken, Start


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """Return the fields of the lines about requests."""
    names = ("method", "route", "status", "client_id")
    found = [vars(record) for record in caplog.records if record.name == "app.access"]
    return [{name: fields[name] for name in names if name in fields} for fields in found]


def test_each_request_has_a_line(
    client: TestClient, token: IssueToken, caplog: pytest.LogCaptureFixture
) -> None:
    """With the path of its route, not its own, and without the query."""
    caplog.set_level(logging.INFO)
    client.get("/health/live?a=1")
    client.delete("/widgets/7", headers=bearer(token()))
    client.request("BREW", "/unknown")

    assert lines(caplog) == [
        {"method": "GET", "route": "/health/live", "status": 200},
        {"method": "DELETE", "route": "/widgets/{widget_id}", "status": 403, "client_id": "writer"},
        {"method": "other", "route": "unmatched", "status": 404},
    ]


@pytest.mark.parametrize("sent", ["a", "A-z_0.9" * 18])
def test_plain_request_id_is_kept(client: TestClient, sent: str) -> None:
    response = client.get("/health/live", headers={"X-Request-ID": sent})

    assert response.headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "a b", "a\tb", "x" * 129, "x" * 10_240, "é"])
def test_other_request_id_is_replaced(client: TestClient, sent: str) -> None:
    response = client.get("/health/live", headers=[(b"X-Request-ID", sent.encode())])

    assert len(response.headers["x-request-id"]) == 32
    assert response.headers["x-request-id"] != sent


def test_every_response_has_an_id(client: TestClient) -> None:
    large = client.post("/widgets", headers={"Content-Length": "99999999"})
    for response in (client.get("/unknown"), client.get("/widgets"), large):
        assert len(response.headers["x-request-id"]) == 32


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


BROWSER = {"Origin": "https://app.example"}


def test_browsers_need_a_setting(start: Start) -> None:
    closed = start().get("/widgets", headers=BROWSER)
    allowed = start(CORS_ORIGINS="https://app.example").get("/widgets", headers=BROWSER)
    other = start(CORS_ORIGINS="https://other.example").get("/widgets", headers=BROWSER)

    assert "access-control-allow-origin" not in closed.headers
    assert "access-control-allow-origin" not in other.headers
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    exposed = set(allowed.headers["access-control-expose-headers"].split(", "))
    assert exposed >= {"WWW-Authenticate", "X-Request-ID"}


def test_browsers_read_refusals(start: Start, token: IssueToken) -> None:
    client = start(CORS_ORIGINS="https://app.example")
    headers = {**BROWSER, **bearer(token(scopes=("write:widgets",)))}
    large = client.post("/widgets", headers={**headers, "Content-Length": "99999999"})
    preflight = client.options(
        "/widgets",
        headers={
            **BROWSER,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        },
    )

    assert large.status_code == 413
    assert large.headers["access-control-allow-origin"] == "https://app.example"
    assert preflight.status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_documentation_can_be_switched_off(start: Start, path: str) -> None:
    assert start().get(path).status_code == 200
    assert start(DOCS_ENABLED="false").get(path).status_code == 404
