"""The issuer's keys: which are used, and what happens when they change or cannot be fetched."""

import asyncio
import json
from collections.abc import Callable, Mapping

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from app.auth.jwt.jwks import (
    FETCH_INTERVAL,
    HARD_LIMIT,
    LIFETIME,
    MAX_FETCHES,
    REFRESH_AGE,
    KeySet,
)
from tests.auth.jwt.signing import ISSUER, Issuer, call, signer, status
from tests.callers import NOW, Clock
from tests.conftest import Start

FIRST, SECOND, THIRD = signer(), signer(number=2), signer(number=3)
RSA, EC = FIRST.public, signer("ES256", 2).public


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(RSA)


@pytest.fixture
def client(start: Start, issuer: Issuer) -> TestClient:
    return start(issuer, OLYMPUS_ISSUER=ISSUER, JWT_ALGORITHMS="RS256,ES256")


def is_ready(client: TestClient) -> bool:
    return client.get("/health/ready").status_code == 200


def test_new_key_is_accepted_at_once(client: TestClient, issuer: Issuer) -> None:
    """Also when the keys were fetched a moment ago, twice in a row, and after junk key ids."""
    outcomes = [status(client, FIRST.token())]
    for new in (SECOND, THIRD):
        outcomes.append(status(client, new.token({}, {"kid": "junk"})))
        issuer.keys.insert(0, new.public)
        outcomes += [status(client, new.token()), status(client, FIRST.token())]

    assert outcomes == [200, 401, 200, 200, 401, 200, 200]
    assert len(issuer.requests) == 5


def test_refreshed_token_names_an_old_key(client: TestClient, issuer: Issuer) -> None:
    """After a rotation, Hydra signs a refreshed token with the new key and names the old one."""
    issuer.keys.insert(0, SECOND.public)

    assert status(client, SECOND.token({}, {"kid": FIRST.key_id})) == 200


def test_unknown_key_ids_cost_few_fetches(client: TestClient, issuer: Issuer, clock: Clock) -> None:
    """A caller that invents key ids cannot overload the issuer, working or not."""
    outcomes, fetches = set(), []
    for response in (issuer.key_set, lambda: httpx.Response(500)):
        issuer.response = response
        outcomes |= {status(client, FIRST.token({}, {"kid": f"k-{n}"})) for n in range(20)}
        fetches.append(len(issuer.requests))
        clock.now += FETCH_INTERVAL

    assert outcomes == {401}
    assert fetches == [1 + MAX_FETCHES, 2 + MAX_FETCHES]
    assert status(client, FIRST.token()) == 200


def test_withdrawn_key_is_refused(client: TestClient, issuer: Issuer, clock: Clock) -> None:
    """By withdrawing a key, an issuer ends every token that was signed with it."""
    before = status(client, FIRST.token())
    issuer.keys = [SECOND.public]
    clock.now += LIFETIME

    assert [before, status(client, FIRST.token())] == [200, 401]
    assert status(client, SECOND.token()) == 200


def test_keys_are_refreshed_in_the_background(
    client: TestClient, issuer: Issuer, clock: Clock
) -> None:
    fetches = []
    for seconds in (0, REFRESH_AGE - 1, 1):
        clock.now += seconds
        assert {status(client, FIRST.token()) for _ in range(3)} == {200}
        fetches.append(len(issuer.requests))

    assert fetches == [1, 1, 2]


BAD_RESPONSES: dict[str, Callable[[], httpx.Response]] = {
    "error": lambda: httpx.Response(500),
    "not found": lambda: httpx.Response(404, html="<!DOCTYPE html>"),
    "redirect": lambda: httpx.Response(302, headers={"Location": "/elsewhere"}),
    "not JSON": lambda: httpx.Response(200, html="<!DOCTYPE html>"),
    "no list of keys": lambda: httpx.Response(200, json={"keys": "none"}),
    "too long": lambda: httpx.Response(200, content=b'{"keys":"' + b"a" * 70_000 + b'"}'),
    "private key": lambda: httpx.Response(200, json={"keys": [{**RSA, "d": "AQAB"}]}),
    "name twice": lambda: httpx.Response(200, json={"keys": [RSA, {**EC, "kid": RSA["kid"]}]}),
}


@pytest.mark.parametrize("bad", BAD_RESPONSES.values(), ids=BAD_RESPONSES)
def test_bad_response_leaves_the_old_keys(
    client: TestClient, issuer: Issuer, clock: Clock, bad: Callable[[], httpx.Response]
) -> None:
    """They are used for a day. Then the caller learns that the provider is unavailable."""
    before = status(client, FIRST.token())
    issuer.response = bad
    clock.now += LIFETIME
    during = status(client, FIRST.token())
    clock.now = NOW + HARD_LIMIT
    after = call(client, FIRST.token())

    assert [before, during, after.status_code] == [200, 200, 503]
    assert "retry-after" in after.headers
    assert not is_ready(client)


@pytest.mark.parametrize("bad", BAD_RESPONSES.values(), ids=BAD_RESPONSES)
def test_service_starts_without_keys(
    start: Start, issuer: Issuer, clock: Clock, bad: Callable[[], httpx.Response]
) -> None:
    """It is not ready, accepts nothing, blames no caller, and recovers."""
    issuer.response = bad
    client = start(issuer, OLYMPUS_ISSUER=ISSUER)
    cold = [is_ready(client), *(status(client, FIRST.token()) for _ in range(20))]
    fetches = len(issuer.requests)
    issuer.response = issuer.key_set
    clock.now += FETCH_INTERVAL

    assert cold == [False, *[503] * 20]
    assert fetches == 1 + MAX_FETCHES
    assert status(client, FIRST.token()) == 200


@pytest.mark.parametrize("keys", [[], ["key", None, 7], [{"kty": "OKP", "crv": "Ed25519"}]])
def test_set_without_usable_keys_replaces_the_old_one(
    client: TestClient, issuer: Issuer, clock: Clock, keys: list[object]
) -> None:
    """The issuer has withdrawn its keys, so they must not count for another day."""
    before = status(client, FIRST.token())
    issuer.keys = keys
    clock.now += LIFETIME
    during = [status(client, FIRST.token()), is_ready(client)]
    issuer.keys = [RSA]

    assert [before, *during] == [200, 503, False]
    assert status(client, FIRST.token()) == 200


@pytest.mark.anyio
async def test_concurrent_first_requests_share_a_fetch(clock: Clock) -> None:
    """And when one of the callers goes away, the others still get their keys."""
    fetches = 0
    released = asyncio.Event()

    async def fetch() -> bytes:
        nonlocal fetches
        fetches += 1
        await released.wait()
        return json.dumps({"keys": [RSA]}).encode()

    keys = KeySet(fetch, frozenset({"RS256"}), clock)
    waiting = [asyncio.create_task(keys.verify(FIRST.token())) for _ in range(100)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    released.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert fetches == 1
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert not any(isinstance(outcome, BaseException) for outcome in outcomes[1:])


def test_readiness_does_not_wait_for_fresh_keys(start: Start, clock: Clock) -> None:
    """A probe has one second, a fetch may take longer, and the keys at hand are good enough."""
    hanging = asyncio.Event()

    async def respond(request: httpx.Request) -> httpx.Response:
        if hanging.is_set():
            await asyncio.Event().wait()
        return httpx.Response(200, json={"keys": [RSA]})

    client = start(httpx.MockTransport(respond), OLYMPUS_ISSUER=ISSUER, IDP_TIMEOUT="30")
    status(client, FIRST.token())
    hanging.set()
    clock.now += LIFETIME

    assert is_ready(client)


def test_rate_limit_of_the_issuer_is_passed_on(start: Start, issuer: Issuer) -> None:
    """While there are no keys, callers get the Retry-After of the issuer."""
    issuer.response = lambda: httpx.Response(429, headers={"Retry-After": "7"})
    response = call(start(issuer, OLYMPUS_ISSUER=ISSUER), FIRST.token())

    assert (response.status_code, response.headers["retry-after"]) == (503, "7")


def test_refreshes_are_counted(client: TestClient, issuer: Issuer) -> None:
    """The outcome is `ok`, or the reason of the failure."""
    status(client, FIRST.token())
    issuer.response = lambda: httpx.Response(503)
    name = "jwks_refreshes_total"
    before = REGISTRY.get_sample_value(name, {"outcome": "status_503"}) or 0
    status(client, SECOND.token())

    assert REGISTRY.get_sample_value(name, {"outcome": "ok"})
    assert REGISTRY.get_sample_value(name, {"outcome": "status_503"}) == before + 1


NOT_USED: dict[str, Mapping[str, object] | str] = {
    "no object": "key",
    "octet pair": {"kty": "OKP", "crv": "Ed25519", "x": "AA", "alg": "EdDSA"},
    "shared secret": {"kty": "oct", "k": "AA"},
    "unknown curve": {**EC, "crv": "secp256k1"},
    "for encryption": {**RSA, "use": "enc"},
    "other operations": {**RSA, "key_ops": ["encrypt"]},
    "algorithm of another kind": {**RSA, "alg": "ES256"},
    "algorithm of another curve": {**EC, "alg": "ES384"},
    "padding that is not supported": {**RSA, "alg": "PS256"},
    "modulus is junk": {**RSA, "n": "!!"},
    "modulus is a number": {**RSA, "n": 65_537},
    "modulus is short": signer(number=4, size=1024).public,
    "modulus is long": {**RSA, "n": "_" * 20_000},
    "exponent is three": {**RSA, "e": "Aw"},
    "exponent is even": {**RSA, "e": "AQAC"},
    "exponent is huge": {**RSA, "e": "_" * 10},
    "point off the curve": {**EC, "x": EC["y"]},
    "no point": {**EC, "x": None},
}


@pytest.mark.parametrize("key", NOT_USED.values(), ids=NOT_USED)
def test_unusable_key_is_left_out(
    start: Start, key: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stands before ours in the set, and ours is used all the same."""
    other = {**key, "kid": "other"} if isinstance(key, dict) else key
    issuer = Issuer(other, RSA)
    client = start(issuer, OLYMPUS_ISSUER=ISSUER, JWT_ALGORITHMS="RS256,ES256,ES384")

    assert status(client, FIRST.token()) == 200
    assert capsys.readouterr().err.count("key left out") == 1


@pytest.mark.parametrize("algorithm", ["RS512", "ES256", "ES384", "ES512"])
def test_algorithm_is_verified(start: Start, algorithm: str) -> None:
    key = signer(algorithm)
    client = start(Issuer(key.public), OLYMPUS_ISSUER=ISSUER, JWT_ALGORITHMS=algorithm)

    assert status(client, key.token()) == 200
