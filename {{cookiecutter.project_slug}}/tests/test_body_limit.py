"""How much a caller may send."""

import json
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from dev.provider import Provider
from tests.callers import bearer
from tests.conftest import IssueToken, Start
from tests.probe import WRITE

TOO_LARGE = {"detail": "Payload too large"}


@pytest.fixture
def small(start: Start, token: IssueToken) -> TestClient:
    """Return a caller of a service that takes a hundred bytes."""
    client = start(REQUEST_MAX_BYTES="100")
    client.headers = {**bearer(token([WRITE])), "Content-Type": "application/json"}
    return client


def body(size: int) -> bytes:
    return json.dumps({"text": "x"}).encode().ljust(size)


def test_body_of_the_limit(small: TestClient) -> None:
    assert small.post("/probe", content=body(100)).status_code == 201


@pytest.mark.parametrize("length", ["101", "9" * 26, "1" * 5000])
def test_declared_length_over_the_limit(small: TestClient, provider: Provider, length: str) -> None:
    """Neither the body is read nor the token is checked."""
    before = provider.calls
    response = small.post("/probe", content=body(100), headers={"Content-Length": length})

    assert (response.status_code, response.json()) == (413, TOO_LARGE)
    assert response.headers["connection"] == "close"
    assert provider.calls == before


def test_streamed_body_over_the_limit(small: TestClient) -> None:
    def stream() -> Iterator[bytes]:
        yield from [b" " * 60] * 1000

    response = small.post("/probe", content=stream())

    assert (response.status_code, response.json()) == (413, TOO_LARGE)
