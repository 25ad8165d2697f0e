"""The issuer's keys: which are used, and what happens when they change or cannot be had."""

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, strategies
from starlette.testclient import TestClient

from app.auth.errors import InvalidToken, ProviderUnavailable
from app.auth.jwt.jwk import UnusableKey, read_key_set
from app.auth.jwt.jwks import (
    FETCH_INTERVAL,
    HARD_LIMIT,
    LIFETIME,
    MAX_FETCHES,
    REFRESH_AGE,
    KeySet,
)
from app.auth.jwt.jws import parse_token
from tests.auth.jwt.signing import CLAIMS, ISSUER, Signer, signer
from tests.callers import NOW, Clock, bearer
from tests.conftest import Start

ALGORITHMS = {"RS256", "ES256", "ES384", "ES512"}


class Issuer:
    """An issuer at the wire: its keys, and how it answers when it is asked for them."""

    def __init__(self, *keys: Signer) -> None:
        self.keys: list[dict[str, object]] = [key.public for key in keys]
        self.answer: Callable[[], httpx.Response] = self.key_set
        self.asked = 0

    def key_set(self) -> httpx.Response:
        return httpx.Response(
            200, json={"keys": self.keys}, headers={"Cache-Control": "private, no-store"}
        )

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return self.answer()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(signer())


@pytest.fixture
def client(start: Start, issuer: Issuer) -> TestClient:
    return start(httpx.MockTransport(issuer), OLYMPUS_ISSUER=ISSUER, JWT_ALGORITHMS="RS256,ES256")


def status(client: TestClient, token: str) -> int:
    return client.get("/probe", headers=bearer(token)).status_code


def token(key: Signer, **header: object) -> str:
    """Return a token like no other, that outlives the longest test."""
    claims = {**CLAIMS, "exp": NOW + 10 * HARD_LIMIT, "jti": str(uuid.uuid4())}
    return key.token(claims, header)


def test_a_new_key_is_accepted_at_once(client: TestClient, issuer: Issuer) -> None:
    """Also when the keys were fetched a moment ago, twice in a row, and after junk key ids."""
    outcomes = [status(client, token(signer()))]
    for number in (2, 3):
        new = signer(number=number)
        outcomes.append(status(client, token(new, kid=f"junk-{number}")))
        issuer.keys.insert(0, new.public)
        outcomes += [status(client, token(new)), status(client, token(signer()))]

    assert outcomes == [200, 401, 200, 200, 401, 200, 200]
    assert issuer.asked == 5


def test_unknown_key_ids_cost_few_fetches(client: TestClient, issuer: Issuer, clock: Clock) -> None:
    """A caller that invents key ids cannot overload the issuer."""
    status(client, token(signer()))
    outcomes = {status(client, token(signer(), kid=f"k-{number}")) for number in range(100)}
    at_once = issuer.asked
    clock.now += FETCH_INTERVAL
    outcomes |= {status(client, token(signer(), kid=f"l-{number}")) for number in range(100)}

    assert outcomes == {401}
    assert [at_once, issuer.asked] == [1 + MAX_FETCHES, 2 + MAX_FETCHES]
    assert status(client, token(signer())) == 200


def test_failing_fetches_count_too(client: TestClient, issuer: Issuer, clock: Clock) -> None:
    """Otherwise each request during an outage would call the issuer."""
    status(client, token(signer()))
    issuer.answer = lambda: httpx.Response(500)
    outcomes = set()
    for _ in range(3):
        outcomes |= {status(client, token(signer(), kid=f"k-{number}")) for number in range(10)}
        clock.now += FETCH_INTERVAL

    assert outcomes == {401}
    assert issuer.asked == 1 + MAX_FETCHES + 2
    assert status(client, token(signer())) == 200


def test_a_stale_name_is_forgiven(start: Start) -> None:
    """A token that Hydra refreshes after a rotation names the old key; the new one signed it."""
    new = signer(number=2)
    client = start(httpx.MockTransport(Issuer(new, signer())), OLYMPUS_ISSUER=ISSUER)

    assert status(client, token(new, kid="key-1")) == 200


def test_a_stale_name_with_a_key_still_unknown_is_looked_up(
    client: TestClient, issuer: Issuer
) -> None:
    new = signer(number=2)
    status(client, token(signer()))
    issuer.keys.insert(0, new.public)

    assert status(client, token(new, kid="key-1")) == 200
    assert issuer.asked == 2


def test_the_keys_that_a_signature_is_tried_with_are_few(start: Start, clock: Clock) -> None:
    """Each try costs; a forged signature must not cost the whole set."""
    keys = [signer(number=number) for number in range(1, 7)]
    client = start(httpx.MockTransport(Issuer(*keys)), OLYMPUS_ISSUER=ISSUER)

    assert status(client, token(keys[3], kid="key-1")) == 200
    assert status(client, token(keys[5], kid="key-1")) == 401
    assert status(client, token(keys[5])) == 200


@pytest.mark.parametrize("header", [{"kid": ""}, {"kid": ...}])
def test_a_token_that_names_no_key_is_tried_with_all(
    client: TestClient, header: dict[str, object]
) -> None:
    assert status(client, token(signer(), **header)) == 200


def test_a_key_that_is_gone_is_not_used(client: TestClient, issuer: Issuer, clock: Clock) -> None:
    """Withdrawing a key is how an issuer ends every token that was signed with it."""
    new = signer(number=2)
    before = status(client, token(signer()))
    issuer.keys = [new.public]
    clock.now += LIFETIME
    after = status(client, token(signer()))

    assert [before, after, status(client, token(new))] == [200, 401, 200]


def test_keys_are_fetched_again_before_they_are_old(
    client: TestClient, issuer: Issuer, clock: Clock
) -> None:
    """No request waits for it: they go on with the old keys."""
    status(client, token(signer()))
    clock.now += REFRESH_AGE - 1
    status(client, token(signer()))
    before = issuer.asked
    clock.now += 1
    outcomes = [status(client, token(signer())) for _ in range(3)]

    assert outcomes == [200] * 3
    assert [before, issuer.asked] == [1, 2]


BAD_ANSWERS: dict[str, Callable[[], httpx.Response]] = {
    "500": lambda: httpx.Response(500),
    "404": lambda: httpx.Response(404, html="<!DOCTYPE html>"),
    "401": lambda: httpx.Response(401),
    "redirect": lambda: httpx.Response(302, headers={"Location": "/elsewhere"}),
    "html": lambda: httpx.Response(200, html="<!DOCTYPE html>"),
    "empty": lambda: httpx.Response(200),
    "no-list": lambda: httpx.Response(200, json={"keys": "none"}),
    "other-object": lambda: httpx.Response(200, json={"error": "none"}),
    "10-megabytes": lambda: httpx.Response(200, content=b'{"keys":"' + b"a" * 10_000_000 + b'"}'),
    "private-key": lambda: httpx.Response(200, json={"keys": [private_key()]}),
    "same-name-twice": lambda: httpx.Response(
        200, json={"keys": [signer().public, {**signer(number=2).public, "kid": "key-1"}]}
    ),
}


WITHOUT_USABLE_KEY: dict[str, list[object]] = {
    "no keys": [],
    "no objects": ["key", None, 7, ["key"]],
    "another kind of key": [{"kty": "OKP", "crv": "Ed25519"}],
}


@pytest.mark.parametrize("keys", WITHOUT_USABLE_KEY.values(), ids=WITHOUT_USABLE_KEY)
def test_a_set_without_usable_keys_replaces_the_old_one(
    client: TestClient, issuer: Issuer, clock: Clock, keys: list[object]
) -> None:
    """The issuer has withdrawn its keys. No token is accepted, and the service recovers."""
    before = status(client, token(signer()))
    issuer.answer = lambda: httpx.Response(200, json={"keys": keys})
    clock.now += LIFETIME
    during = [status(client, token(signer())), client.get("/health/ready").status_code]
    issuer.answer = issuer.key_set
    after = status(client, token(signer()))

    assert [before, *during, after] == [200, 503, 503, 200]


def test_members_that_are_no_objects_are_skipped(start: Start, issuer: Issuer) -> None:
    members = ["key", None, 7, signer().public]
    issuer.answer = lambda: httpx.Response(200, json={"keys": members})
    client = start(httpx.MockTransport(issuer), OLYMPUS_ISSUER=ISSUER)

    assert status(client, token(signer())) == 200


def private_key() -> dict[str, Any]:
    members: dict[str, Any] = signer(number=3).private.to_dict()
    return {**members, "kid": "key-3", "use": "sig"}


@pytest.mark.parametrize("bad", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_bad_answer_never_replaces_good_keys(
    client: TestClient, issuer: Issuer, clock: Clock, bad: Callable[[], httpx.Response]
) -> None:
    """Keys that were good a while ago beat an outage, up to a day."""
    before = status(client, token(signer()))
    issuer.answer = bad
    clock.now += LIFETIME
    during = status(client, token(signer()))
    clock.now = NOW + HARD_LIMIT
    too_late = client.get("/probe", headers=bearer(token(signer())))

    assert [before, during, too_late.status_code] == [200, 200, 503]
    assert "retry-after" in too_late.headers
    assert client.get("/health/ready").status_code == 503


@pytest.mark.parametrize("bad", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_without_keys_nothing_is_accepted_or_refused(
    client: TestClient, issuer: Issuer, clock: Clock, bad: Callable[[], httpx.Response]
) -> None:
    """The service starts all the same, is not ready, and recovers by itself."""
    clock.now += HARD_LIMIT
    issuer.answer = bad
    before = [status(client, token(signer())), client.get("/health/ready").status_code]
    issuer.answer = issuer.key_set
    clock.now += FETCH_INTERVAL

    assert before == [503, 503]
    assert status(client, token(signer())) == 200


def test_a_start_without_the_issuer_is_over_when_it_is_over(
    start: Start, issuer: Issuer, clock: Clock
) -> None:
    issuer.answer = lambda: httpx.Response(503)
    client = start(httpx.MockTransport(issuer), OLYMPUS_ISSUER=ISSUER)
    cold = [status(client, token(signer())) for _ in range(20)]
    asked = issuer.asked
    issuer.answer = issuer.key_set
    clock.now += FETCH_INTERVAL

    assert set(cold) == {503}
    assert asked == 1 + MAX_FETCHES
    assert status(client, token(signer())) == 200


@pytest.mark.anyio
async def test_a_hundred_first_requests_cost_one_fetch(clock: Clock) -> None:
    """Concurrent requests share one fetch, and one cancellation cancels no other."""
    fetches = 0
    answered = asyncio.Event()

    async def fetch() -> bytes:
        nonlocal fetches
        fetches += 1
        await answered.wait()
        return json.dumps({"keys": [signer().public]}).encode()

    keys = KeySet(fetch, ALGORITHMS, clock)
    signed = parse_token(token(signer()), ALGORITHMS)
    waiting = [asyncio.create_task(keys.verify(signed)) for _ in range(100)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    answered.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert fetches == 1
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1:] == [None] * 99


@pytest.mark.anyio
async def test_a_fetch_that_began_before_a_rotation_is_repeated(clock: Clock) -> None:
    """A token of the new key arrives while the old set is still on its way."""
    new = signer(number=2)
    sets: asyncio.Queue[list[dict[str, object]]] = asyncio.Queue()

    async def fetch() -> bytes:
        return json.dumps({"keys": await sets.get()}).encode()

    keys = KeySet(fetch, ALGORITHMS, clock)
    sets.put_nowait([signer().public])
    await keys.verify(parse_token(token(signer()), ALGORITHMS))
    junk = asyncio.create_task(keys.verify(parse_token(token(new, kid="junk"), ALGORITHMS)))
    await asyncio.sleep(0)
    valid = asyncio.create_task(keys.verify(parse_token(token(new), ALGORITHMS)))
    await asyncio.sleep(0)
    sets.put_nowait([signer().public])
    sets.put_nowait([new.public])
    outcomes = await asyncio.gather(junk, valid, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [InvalidToken, type(None)]


@pytest.mark.anyio
async def test_only_the_first_request_of_an_outage_waits(clock: Clock) -> None:
    """Those after it go on with the keys at hand, while they are asked for again.

    Readiness, too, goes on with keys that are good enough for requests.
    """
    answers: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def fetch() -> bytes:
        answer = await answers.get()
        if answer is None:
            raise ProviderUnavailable("timeout")
        return answer

    async def is_verified_at_once() -> bool:
        request = asyncio.create_task(keys.verify(signed))
        await asyncio.sleep(0)
        at_once = request.done()
        answers.put_nowait(None)
        await request
        return at_once

    keys = KeySet(fetch, ALGORITHMS, clock)
    signed = parse_token(token(signer()), ALGORITHMS)
    answers.put_nowait(json.dumps({"keys": [signer().public]}).encode())
    await keys.verify(signed)
    clock.now += LIFETIME
    first = await is_verified_at_once()
    later = []
    for _ in range(2):
        clock.now += FETCH_INTERVAL
        later.append(await is_verified_at_once())
    await keys.keep_fresh(patience=HARD_LIMIT)
    keys.close()

    assert [first, *later] == [False, True, True]


def test_readiness_does_not_wait_for_fresh_keys(start: Start, issuer: Issuer, clock: Clock) -> None:
    """A probe has one second, a fetch may take longer, and the keys at hand are good enough."""
    hanging = False

    async def answer(request: httpx.Request) -> httpx.Response:
        if hanging:
            await asyncio.Event().wait()
        return issuer(request)

    client = start(httpx.MockTransport(answer), OLYMPUS_ISSUER=ISSUER, IDP_TIMEOUT="30")
    status(client, token(signer()))
    hanging = True
    clock.now += LIFETIME

    assert client.get("/health/ready").status_code == 200


def test_the_issuers_rate_limit_is_passed_on(start: Start, issuer: Issuer) -> None:
    """While there are no keys, callers get the Retry-After of the issuer."""
    issuer.answer = lambda: httpx.Response(429, headers={"Retry-After": "7"})
    client = start(httpx.MockTransport(issuer), OLYMPUS_ISSUER=ISSUER)
    response = client.get("/probe", headers=bearer(token(signer())))

    assert response.status_code == 503
    assert response.headers["retry-after"] == "7"


def test_a_clock_that_is_set_back_does_not_keep_keys_for_ever(
    client: TestClient, issuer: Issuer, clock: Clock
) -> None:
    status(client, token(signer()))
    clock.now -= 86_400
    status(client, token(signer()))

    assert issuer.asked == 2


def weak_key() -> dict[str, object]:
    return {**signer(number=4, size=1024).public, "kid": "weak"}


RSA = signer().public
EC = signer("ES256", 2).public
NOT_USED: dict[str, dict[str, object]] = {
    "K6-octet-pair": {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "ed", "alg": "EdDSA"},
    "K6-shared-secret": {"kty": "oct", "k": "AA", "kid": "secret"},
    "K6-unknown-curve": {**EC, "crv": "secp256k1", "kid": "other"},
    "K6-unknown-kind": {"kty": "AKP", "kid": "other"},
    "K6-no-kind": {"kid": "other"},
    "K7-for-encryption": {**RSA, "use": "enc", "kid": "other"},
    "K7-use-is-a-list": {**RSA, "use": ["sig"], "kid": "other"},
    "K7-operations": {**RSA, "key_ops": ["encrypt"], "kid": "other"},
    "K7-operations-are-text": {**RSA, "key_ops": "verify", "kid": "other"},
    "K7-algorithm-of-another-kind": {**RSA, "alg": "ES256", "kid": "other"},
    "K7-algorithm-of-another-curve": {**EC, "alg": "ES384", "kid": "other"},
    "K7-padding-not-supported": {**RSA, "alg": "PS256", "kid": "other"},
    "K7-algorithm-is-a-list": {**RSA, "alg": ["RS256"], "kid": "other"},
    "K7-name-is-a-number": {**RSA, "kid": 7},
    "K7-no-modulus": {name: value for name, value in RSA.items() if name not in ("n", "kid")},
    "K7-modulus-is-junk": {**RSA, "n": "!!", "kid": "other"},
    "K7-modulus-is-a-number": {**RSA, "n": 65537, "kid": "other"},
    "K7-modulus-is-short": weak_key(),
    "K7-modulus-is-endless": {**RSA, "n": "_" * 20_000, "kid": "other"},
    "K7-exponent-is-one": {**RSA, "e": "AQ", "kid": "other"},
    "K7-exponent-is-three": {**RSA, "e": "Aw", "kid": "other"},
    "K7-exponent-is-even": {**RSA, "e": "AQAC", "kid": "other"},
    "K7-exponent-is-huge": {**RSA, "e": "_" * 100, "kid": "other"},
    "K7-point-off-the-curve": {**EC, "x": EC["y"], "kid": "other"},
    "K7-no-point": {name: value for name, value in EC.items() if name not in ("x", "kid")},
    "K7-point-is-a-list": {**EC, "y": [1], "kid": "other"},
}


@pytest.mark.parametrize("member", NOT_USED.values(), ids=NOT_USED)
def test_a_key_that_cannot_be_used_is_left_out(
    start: Start, member: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    """K6, K7: it stands before ours in the set, and ours is used all the same."""
    issuer = Issuer()
    issuer.keys = [member, RSA]
    client = start(httpx.MockTransport(issuer), OLYMPUS_ISSUER=ISSUER, JWT_ALGORITHMS="RS256,ES256")

    assert status(client, token(signer())) == 200
    assert capsys.readouterr().err.count("key left out") == 1
    usable, problems = read_key_set(json.dumps({"keys": [member]}).encode(), ALGORITHMS)
    assert (usable, len(problems)) == ([], 1)


@pytest.mark.parametrize("name", ["html", "empty", "no-list", "other-object"])
def test_a_document_that_is_no_set_is_refused_with_a_reason(name: str) -> None:
    """The reason is for the log, and quotes nothing of the document."""
    with pytest.raises(UnusableKey, match=r"^the document (is not|holds no)"):
        read_key_set(BAD_ANSWERS[name]().content, ALGORITHMS)


def test_a_key_of_an_algorithm_that_was_not_set_is_named() -> None:
    _, problems = read_key_set(json.dumps({"keys": [EC]}).encode(), {"RS256"})

    assert problems == ["its algorithm is not in JWT_ALGORITHMS"]


def test_a_key_without_an_algorithm_is_used_with_those_of_its_kind() -> None:
    """RFC 7517, 4.4: `alg` is optional. The curve of an EC key leaves one, RSA leaves several."""
    plain_rsa = {name: value for name, value in RSA.items() if name != "alg"}
    plain_ec = {name: value for name, value in EC.items() if name != "alg"}
    raw = json.dumps({"keys": [plain_rsa, plain_ec]}).encode()
    keys, _ = read_key_set(raw, {"RS256", "RS512", "ES256", "ES384"})

    assert [(key.key_id, key.algorithm) for key in keys] == [
        ("key-1", "RS256"),
        ("key-1", "RS512"),
        ("key-2", "ES256"),
    ]


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
def test_every_curve_is_verified(start: Start, algorithm: str) -> None:
    key = signer(algorithm)
    client = start(
        httpx.MockTransport(Issuer(key)), OLYMPUS_ISSUER=ISSUER, JWT_ALGORITHMS=algorithm
    )

    assert status(client, token(key)) == 200


def test_an_issuer_of_keys_that_are_not_supported_is_named(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """Waiting does not help there: somebody has to choose another algorithm."""
    issuer = Issuer()
    issuer.keys = [NOT_USED["K6-octet-pair"], NOT_USED["K7-padding-not-supported"]]
    client = start(httpx.MockTransport(issuer), OLYMPUS_ISSUER=ISSUER)
    ready = client.get("/health/ready")

    assert ready.status_code == 503
    assert "EdDSA" in ready.text
    assert "PS256" in ready.text
    assert "EdDSA is not supported" in capsys.readouterr().err


junk = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(max_size=8),
    lambda inner: strategies.lists(inner, max_size=2),
    max_leaves=3,
)
MEMBERS = ["kty", "crv", "use", "key_ops", "alg", "kid", "n", "e", "x", "y", "d"]
members = strategies.dictionaries(
    strategies.sampled_from(MEMBERS),
    junk,
)


@given(strategies.lists(members, max_size=3), strategies.sampled_from([RSA, EC]))
def test_no_key_set_breaks_the_reader(
    sets: list[dict[str, object]], good: dict[str, object]
) -> None:
    """A document becomes keys or is refused: no other exception comes out."""
    raw = json.dumps({"keys": [{**good, **member} for member in sets]}).encode()
    try:
        assert read_key_set(raw, ALGORITHMS)
    except UnusableKey:
        return
