"""Further tokens and responses that the service has to withstand."""

import json
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given, strategies
from starlette.testclient import TestClient

from app.auth.claims import MalformedClaims, parse_object
from app.auth.errors import AuthError
from app.auth.verifier import ProviderVerifier
from app.settings import Settings
from dev.provider import Provider
from tests.auth.test_verifier import FAILURES, GOOD, ISSUER, beside, body, status, without
from tests.callers import AUDIENCE, NOW
from tests.conftest import IssueToken, Start, problems

ACCEPTED = {
    "no scopes": without("scope"),
    "fractions of a second": {**GOOD, "exp": NOW + 0.5},
    "null claim": {**GOOD, "act": None},
    "organization is null": {**GOOD, "org_id": None},
    "organization in the other spelling": {**without("org_id"), "organization_id": "org_1"},
}


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=ACCEPTED)
def test_good_token_is_accepted(start: Start, document: dict[str, object]) -> None:
    assert status(beside(start, document, ISSUER)) == 200


REFUSED = {
    "inactive with malformed claims": {"active": False, "sub": 7, "exp": "x", "org_id": []},
    "unknown use": {**GOOD, "token_use": "access_token "},
    "use and type are null": {**GOOD, "token_use": None, "token_type": None},
    "expired long ago": {**GOOD, "exp": 0},
    "expiry is negative": {**GOOD, "exp": -1},
    "audience is shorter": {**GOOD, "aud": AUDIENCE[:-1]},
    "audience is null": {**GOOD, "aud": None},
    "issuer in another case": {**GOOD, "iss": "http://LOCALHOST:3102"},
    "subject is empty": {**GOOD, "sub": ""},
    "client is blank": {**without("sub"), "client_id": " "},
}


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED)
def test_one_wrong_claim_refuses_the_token(start: Start, document: dict[str, object]) -> None:
    assert status(beside(start, document, ISSUER)) == 401


MALFORMED: dict[str, dict[str, object] | httpx.Response] = {
    "nothing": {},
    "expiry is a list": {**GOOD, "exp": [NOW + 60]},
    "expiry is huge": {**GOOD, "exp": 10**400},
    "expiry has 30000 digits": body(b'{"active":true,"exp":' + b"1" * 30_000 + b"}"),
    "custom number is not finite": body(json.dumps(GOOD)[:-1] + ',"x":[-1e400]}'),
    "issued at is text": {**GOOD, "iat": "now"},
    "audience is a number": {**GOOD, "aud": 5},
    "audience is an object": {**GOOD, "aud": {"jkt": "0ZcOCORZNYy"}},
    "client is a list": {**GOOD, "client_id": ["cli_web"]},
    "scope holds a number": {**GOOD, "scope": ["read:widgets", 5]},
    "token type is a number": {**GOOD, "token_type": 1},
    "bad JSON": body('{"active":true'),
    "text": body('"active"'),
    "empty": body(""),
    "UTF-16": body('{"active":true,"sub":"a"}'.encode("utf-16")),
    "nested 600 deep": body(b'{"active":true,"ext":' + b"[" * 600 + b"]" * 600 + b"}"),
    "compressed": httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"\x1f\x8b")
    ),
    "created": httpx.Response(201, json=GOOD),
    "another server": httpx.Response(404, html="<!DOCTYPE html>"),
    "bad gateway": httpx.Response(502),
}


@pytest.mark.parametrize("response", MALFORMED.values(), ids=MALFORMED)
def test_unusable_response_is_an_outage(
    start: Start, response: dict[str, object] | httpx.Response
) -> None:
    assert status(beside(start, response)) == 503


class LenientClient:
    """A client that takes every response as it comes."""

    def __init__(self, document: dict[str, object]) -> None:
        self.oauth = self
        self.document = document

    async def introspect_token(self, *, token: str) -> object:
        active = self.document.get("active")
        return SimpleNamespace(active=active, raw=json.dumps(self.document).encode())


TYPED = {
    name: row
    for name, row in {**FAILURES, **MALFORMED}.items()
    if isinstance(row, dict) and "organization" not in name
}


@pytest.mark.anyio
@pytest.mark.parametrize("document", TYPED.values(), ids=TYPED)
async def test_service_does_without_the_rules_of_the_client(document: dict[str, object]) -> None:
    """However much another client lets through."""
    client: Any = LenientClient(document)
    with pytest.raises(AuthError):
        await ProviderVerifier(client).verify("opaque")


FAILED_CALLS = {
    "refused": httpx.ConnectError("refused"),
    "no such host": httpx.ConnectTimeout("no such host"),
    "slow": httpx.ReadTimeout("slow"),
    "cut off": httpx.ReadError("cut off"),
    "handshake": httpx.ConnectError("certificate verify failed"),
    "not of httpx": UnicodeError("reason phrase"),
    "time limit of another": TimeoutError(),
}


@pytest.mark.parametrize("failure", FAILED_CALLS.values(), ids=FAILED_CALLS)
def test_failed_call_is_an_outage(
    start: Start, failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log has its kind."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    assert status(start(httpx.MockTransport(fail))) == 503
    assert f"code=connection cause='{type(failure).__name__}'" in capsys.readouterr().err


WAITS = {
    "absurd": ("9" * 5000, "3600"),
    "a date in the past": ("Fri, 15 Jan 2021 08:00:00 GMT", "1"),
    "a date that no clock shows": ("Fri, 15 Jan 99999999999999999999 08:00:30 GMT", "5"),
    "the first of dates": ("Mon, 01 Jan 0001 00:00:00 -0000", "1"),
    "a fraction": ("1.5", "5"),
    "negative": ("-7", "5"),
    "a digit of another script": ("\u0667", "5"),
    "nothing": (None, "5"),
}


@pytest.mark.parametrize(("sent", "passed_on"), WAITS.values(), ids=WAITS)
def test_rate_limit_is_passed_on(start: Start, sent: str | None, passed_on: str) -> None:
    headers = [] if sent is None else [(b"Retry-After", sent.encode())]
    client = beside(start, httpx.Response(429, headers=headers))
    response = client.get("/probe", headers={"Authorization": "Bearer x"})

    assert (response.status_code, response.headers["retry-after"]) == (503, passed_on)


def test_leeway_of_nothing_is_exact(start: Start) -> None:
    """A token has expired on the second itself."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={**GOOD, "exp": NOW}))

    assert status(start(transport, CLOCK_LEEWAY="0")) == 401


def test_only_the_space_separates_scopes(start: Start) -> None:
    """A tab or a no-break space is part of the name of a scope."""
    client = beside(start, {**GOOD, "scope": "read:widgets\twrite:widgets\u00a0write:widgets"})
    headers = {"Authorization": "Bearer opaque"}

    assert client.post("/probe", headers=headers, json={"name": "lever"}).status_code == 403


def test_longest_token_is_introspected(client: TestClient, provider: Provider) -> None:
    assert status(client, "a" * 8192) == 401
    assert provider.calls == 1


def test_outage_ends_with_its_cause(
    client: TestClient, provider: Provider, token: IssueToken
) -> None:
    """Each request calls the provider, so the first one after the outage is accepted."""
    good = token()
    provider.outage = True
    during = status(client, good)
    provider.outage = False

    assert [during, status(client, good)] == [503, 200]


def test_refresh_token_without_its_prefix_is_refused(client: TestClient, token: IssueToken) -> None:
    """The provider calls a refresh token active too."""
    assert status(client, token(subject="anna", token_use="refresh_token")) == 401


WRONG_SETTINGS = {
    "key with a line": ({"AVNOLOGY_API_KEY": "s3cret\nX: y"}, "AVNOLOGY_API_KEY holds a blank"),
    "no such address": (
        {"AVNOLOGY_BASE_URL": "https://300.1.1.1"},
        "AVNOLOGY_BASE_URL is not a URL",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_wrong_settings_are_explained(change: dict[str, str], sentence: str) -> None:
    (problem,) = problems(Settings, **change)

    assert sentence in problem
    assert "s3cret" not in problem


json_values = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(max_size=5),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(strategies.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


def test_no_response_breaks_the_service(start: Start) -> None:
    """Whatever JSON the provider sends for a claim: in, or out, or unavailable, never a 500."""
    documents: list[dict[str, object]] = []
    client = start(
        httpx.MockTransport(lambda _: httpx.Response(200, content=json.dumps(documents[-1])))
    )
    names = strategies.sampled_from([*GOOD, "cnf", "nbf", "scp", "token_use", "organization_id"])

    @given(strategies.dictionaries(names, json_values))
    def check(changes: dict[str, object]) -> None:
        documents.append({**GOOD, **changes})

        assert status(client) in (200, 401, 503)

    check()


@given(strategies.binary(max_size=200))
def test_no_bytes_break_the_parser(raw: bytes) -> None:
    """`parse_object` returns an object or raises its own exception, whatever it reads."""
    try:
        document = parse_object(raw)
    except MalformedClaims:
        return
    assert isinstance(document, dict)
