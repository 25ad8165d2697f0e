"""How much a caller may send, and what happens to the rest."""

import json
from collections.abc import Iterator

import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from app.body_limit import BodyLimit
from dev.provider import Provider
from tests.callers import bearer
from tests.conftest import IssueToken, Start

WRITE = ("write:widgets",)
TOO_LARGE = {"detail": "Payload too large"}


@pytest.fixture
def small(start: Start) -> TestClient:
    """Start a service that takes a hundred bytes."""
    return start(REQUEST_MAX_BYTES="100")


def body(size: int) -> bytes:
    """Return a valid widget of `size` bytes."""
    return json.dumps({"name": "x"}).encode().ljust(size)


def test_a_declared_body_over_the_limit_is_refused_unread(
    small: TestClient, provider: Provider, token: IssueToken
) -> None:
    before = provider.calls
    response = small.post("/widgets", headers=bearer(token(WRITE)), content=body(101))

    assert (response.status_code, response.json()) == (413, TOO_LARGE)
    assert response.headers["connection"] == "close"
    assert provider.calls == before


def test_a_streamed_body_is_refused_at_the_limit(small: TestClient, token: IssueToken) -> None:
    """Nothing is declared, so only counting helps."""

    def stream() -> Iterator[bytes]:
        yield from [b" " * 60] * 1000

    response = small.post(
        "/widgets",
        headers={**bearer(token(WRITE)), "Content-Type": "application/json"},
        content=stream(),
    )

    assert (response.status_code, response.json()) == (413, TOO_LARGE)


def test_a_body_of_exactly_the_limit_is_taken(small: TestClient, token: IssueToken) -> None:
    headers = {**bearer(token(WRITE)), "Content-Type": "application/json"}

    assert small.post("/widgets", headers=headers, content=body(100)).status_code == 201


@pytest.mark.parametrize("length", ["99999999999999999999999999", "1" * 5000])
def test_an_absurd_length_is_too_large(small: TestClient, token: IssueToken, length: str) -> None:
    headers = {**bearer(token(WRITE)), "Content-Length": length}
    response = small.post("/widgets", headers=headers, content=b"{}")

    assert response.status_code == 413


BAD_BODIES = {
    "no-json": b"name=x",
    "half-a-surrogate-pair": b'{"name":"\\ud800"}',
    "not-a-number": b'{"name":NaN}',
    "infinite": b'{"name":-Infinity}',
    "not-utf-8": b'{"name":"\xff"}',
    "nested": b"[" * 50_000,
    "a-number-of-10000-digits": b'{"name":' + b"1" * 10_000 + b"}",
    "empty-name": b'{"name":""}',
    "long-name": b'{"name":"' + b"x" * 101 + b'"}',
    "name-is-a-number": b'{"name":1}',
    "list": b"[]",
    "null": b"null",
    "nothing": b"",
}


@pytest.mark.parametrize("content", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_is_no_widget_is_the_callers_fault(
    client: TestClient, token: IssueToken, content: bytes
) -> None:
    """Never a 500, and never with the input repeated."""
    headers = {**bearer(token(WRITE)), "Content-Type": "application/json"}
    response = client.post("/widgets", headers=headers, content=content)

    assert response.status_code in (400, 422)
    assert "input" not in response.text


def test_the_names_of_widgets_come_back_as_they_were(client: TestClient, token: IssueToken) -> None:
    name = "Hebel \u202e \U0001f511 \"'\\<b>"
    response = client.post("/widgets", headers=bearer(token(WRITE)), json={"name": name})

    assert response.json()["name"] == name


@pytest.mark.anyio
async def test_the_parts_of_a_body_are_added_up() -> None:
    """Each part is small enough; a server hands them over one by one."""
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b" " * 60, "more_body": True}

    async def send(message: Message) -> None:
        raise AssertionError

    async def read_on(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(3):
            await receive()

    with pytest.raises(HTTPException) as refusal:
        await BodyLimit(read_on, 100)({"type": "http", "headers": []}, receive, send)

    assert refusal.value.status_code == 413
    assert asked == 2
