"""Further spellings of a header that carry no token."""

import pytest
from starlette.testclient import TestClient

from dev.provider import Provider
from tests.auth.test_contract import INVALID_REQUEST, INVALID_TOKEN, NOT_AUTHENTICATED, refusal
from tests.callers import bearer
from tests.conftest import IssueToken

NO_TOKEN = {
    "unknown scheme": "Negotiate abc",
    "scheme alone": "Bearer",
    "many blanks": "Bearer      ",
}


@pytest.mark.parametrize("header", NO_TOKEN.values(), ids=NO_TOKEN)
def test_no_token(client: TestClient, header: str) -> None:
    response = client.get("/probe", headers={"Authorization": header})

    assert refusal(response) == NOT_AUTHENTICATED


MALFORMED = {
    "tab inside": b"Bearer a\tb",
    "NUL": b"Bearer a\x00b",
    "quotes": b'Bearer "abc"',
    "equals sign inside": b"Bearer a=b",
    "slash for a blank": b"Bearer/abc",
    "a megabyte": b"Bearer " + b"a" * 1_000_000,
}


@pytest.mark.parametrize("header", MALFORMED.values(), ids=MALFORMED)
def test_malformed_token(client: TestClient, provider: Provider, header: bytes) -> None:
    before = provider.calls
    response = client.get("/probe", headers=[(b"Authorization", header)])

    assert refusal(response) == INVALID_TOKEN
    assert provider.calls == before


@pytest.mark.parametrize("query", ["access_token=", "access_token=x", "a=b&access%5Ftoken=x"])
def test_query_and_header(client: TestClient, token: IssueToken, query: str) -> None:
    response = client.get(f"/probe?{query}", headers=bearer(token()))

    assert refusal(response) == INVALID_REQUEST
