"""Responses that introspection has to withstand: the attack list of this service."""

import asyncio
import base64

import httpx
import pytest
from starlette.testclient import TestClient

from app.auth.errors import ProviderUnavailable
from app.auth.verifier import MAX_CALLS, ProviderVerifier
from app.settings import Settings
from dev.provider import Provider
from tests.callers import AUDIENCE, NOW, Clock, bearer
from tests.conftest import ENVIRON, CallAs, Start, problems

ISSUER = "http://localhost:3102"
GOOD: dict[str, object] = {
    "active": True,
    "scope": "read:widgets write:widgets",
    "client_id": "reader",
    "sub": "reader",
    "exp": NOW + 3600,
    "iat": NOW,
    "nbf": NOW,
    "aud": [AUDIENCE],
    "iss": ISSUER,
    "token_type": "Bearer",
    "token_use": "access_token",
}
Document = dict[str, object]


def but(**changes: object) -> Document:
    """Return the good response with changes. `None` leaves a claim out."""
    return {name: value for name, value in {**GOOD, **changes}.items() if value is not None}


def beside(start: Start, response: Document | httpx.Response) -> TestClient:
    """Start the service beside a provider with one response for every request."""
    sent = response if isinstance(response, httpx.Response) else httpx.Response(200, json=response)
    return start(httpx.MockTransport(lambda _: sent))


def status(client: TestClient, token: str = "opaque") -> int:
    return client.get("/probe", headers=bearer(token)).status_code


def body(text: str | bytes) -> httpx.Response:
    return httpx.Response(200, content=text)


RESPONSES: dict[int, dict[str, Document | httpx.Response]] = {
    200: {
        "as it comes": GOOD,
        "no scopes": but(scope=None),
        "no subject means the client": but(sub=None),
        "no use, but a type": but(token_use=None, token_type="bearer"),
        "no issuer": but(iss=None),
        "no times": but(exp=None, nbf=None, iat=None),
        "nulls": {**GOOD, "scope": None, "exp": None, "iss": None, "token_use": None, "cnf": None},
    },
    401: {
        "inactive": {"active": False},
        "inactive with claims": but(active=False),
        "refresh token": but(token_use="refresh_token"),
        "unknown use": but(token_use="access_token "),
        "neither use nor type": but(token_use=None, token_type=None),
        "DPoP token": but(token_type="DPoP"),
        "bound to a key": but(cnf={"jkt": "0ZcOCORZNYy"}),
        "expires now": but(exp=NOW - 10),
        "not valid yet": but(nbf=NOW + 11),
        "issued tomorrow": but(iat=NOW + 86_400),
        "another issuer": but(iss="http://localhost:4102"),
        "issuer with a slash more": but(iss=ISSUER + "/"),
        "another audience": but(aud=["https://billing.example"]),
        "a longer audience": but(aud=[AUDIENCE + "/admin"]),
        "empty audience": but(aud=[]),
        "no audience": but(aud=None),
        "neither subject nor client": but(sub=None, client_id=None),
        "blank subject": but(sub=" \t"),
    },
    503: {
        "active is text": but(active="true"),
        "active is one": but(active=1),
        "active is null": {**GOOD, "active": None},
        "no active": but(active=None),
        "expiry is text": but(exp=str(NOW + 60)),
        "expiry is not finite": body(b'{"active":true,"sub":"a","exp":1e400}'),
        "audience holds a number": but(aud=[AUDIENCE, 5]),
        "subject is a number": but(sub=7),
        "scope holds a number": but(scope=["read:widgets", 5]),
        "HTML": body("<!DOCTYPE html><title>Sign in</title>"),
        "a list": body("[true]"),
        "nothing": body(""),
        "a name twice": body(b'{"active":false,"active":true,"sub":"a"}'),
        "10 megabytes": body(b'{"active":true,"pad":"' + b"a" * 10_000_000 + b'"}'),
        "a redirect": httpx.Response(302, headers={"Location": "http://localhost:3103/elsewhere"}),
        "404 of the public listener": httpx.Response(404, html="<!DOCTYPE html>"),
        "500": httpx.Response(500, json=GOOD),
        "401": httpx.Response(401, json={"error": "invalid_client"}),
        "403": httpx.Response(403),
    },
}
"""By the status of the service: the token is accepted, it is refused, or nothing is known of it."""
ROWS = [(status, name) for status, responses in RESPONSES.items() for name in responses]


@pytest.mark.parametrize(("expected", "name"), ROWS)
def test_response(start: Start, expected: int, name: str) -> None:
    assert status(beside(start, RESPONSES[expected][name])) == expected


def test_rate_limit_is_passed_on(start: Start) -> None:
    """As a 503, because the caller did nothing wrong, with the provider's own wait."""
    client = beside(start, httpx.Response(429, headers={"Retry-After": "7"}))
    response = client.get("/probe", headers=bearer("opaque"))

    assert (response.status_code, response.headers["retry-after"]) == (503, "7")


@pytest.mark.parametrize("prefix", ["ory_rt_", "ory_ac_"])
def test_refresh_token_or_code(client: TestClient, provider: Provider, prefix: str) -> None:
    """One that shows its kind is refused without a call."""
    assert status(client, prefix + "abc.def") == 401
    assert provider.calls == 0


def test_longest_token(client: TestClient, provider: Provider) -> None:
    assert status(client, "a" * 8192) == 401
    assert provider.calls == 1


def test_revoked_token(as_machine: CallAs, provider: Provider) -> None:
    """A route with `fresh_bearer` refuses it at the next request."""
    caller = as_machine("batch", scopes=["write:widgets"])
    before = caller.delete("/probe").status_code
    provider.revoke(caller.headers["Authorization"].removeprefix("Bearer "))

    assert [before, caller.delete("/probe").status_code] == [204, 401]


@pytest.mark.anyio
async def test_calls_in_flight_are_limited() -> None:
    """Another call waits a moment for a place. A cancelled call frees its place."""
    gate = asyncio.Event()

    async def respond(request: httpx.Request) -> httpx.Response:
        await gate.wait()
        return httpx.Response(200, json=GOOD)

    url, headers = httpx.URL("http://provider"), httpx.Headers()
    verifier = ProviderVerifier(httpx.MockTransport(respond), url, headers, 10, Clock())
    calls = [asyncio.create_task(verifier.verify("opaque")) for _ in range(MAX_CALLS)]
    await asyncio.sleep(0)
    with pytest.raises(ProviderUnavailable) as refusal:
        await verifier.verify("opaque")
    assert refusal.value.reason == "busy"
    calls.pop().cancel()
    calls.append(asyncio.create_task(verifier.verify("opaque")))
    await asyncio.sleep(0)
    gate.set()

    assert {claims.subject for claims in await asyncio.gather(*calls)} == {"reader"}


NOT_READY: dict[str, Document | httpx.Response] = {
    "accepts any token": GOOD,
    "refuses the credentials of this service": httpx.Response(401),
}


@pytest.mark.parametrize("response", NOT_READY.values(), ids=NOT_READY)
def test_not_ready(start: Start, response: Document | httpx.Response) -> None:
    """The probe is a token that was never issued."""
    ready = beside(start, response).get("/health/ready")

    assert (ready.status_code, ready.json()["missing"]) == (503, ["identity provider"])


CREDENTIALS = {
    "none": ({}, None),
    # RFC 6749, section 2.3.1: otherwise a colon in the name would cut it in two.
    "form-encoded": ({"HYDRA_ADMIN_USER": "a:b", "HYDRA_ADMIN_PASS": "p w"}, b"a%3Ab:p+w"),
}


@pytest.mark.parametrize(("variables", "pair"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_request(start: Start, variables: dict[str, str], pair: bytes | None) -> None:
    """A plain form. With a `scope`, Hydra would call a token inactive for a scope it lacks."""
    requests: list[httpx.Request] = []

    def record(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=GOOD)

    status(start(httpx.MockTransport(record), None, **variables), "a+/b~c==")
    (request,) = requests
    credentials = request.headers.get("authorization", "")

    assert (request.method, str(request.url)) == ("POST", ENVIRON["HYDRA_INTROSPECT_URL"])
    assert request.content == b"token=a%2B%2Fb~c%3D%3D"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept-encoding"] == "identity"
    assert credentials == (f"Basic {base64.b64encode(pair).decode()}" if pair else "")


WRONG_SETTINGS = {
    "no URL": ({"HYDRA_INTROSPECT_URL": ""}, "HYDRA_INTROSPECT_URL is missing"),
    "no password": ({"HYDRA_ADMIN_USER": "a"}, "HYDRA_ADMIN_PASS go together"),
    "no user": ({"HYDRA_ADMIN_PASS": "secret"}, "HYDRA_ADMIN_PASS go together"),
}


@pytest.mark.parametrize(("change", "sentence"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_wrong_settings(change: dict[str, str], sentence: str) -> None:
    (problem,) = problems(Settings, **change)

    assert sentence in problem
    assert "secret" not in problem
