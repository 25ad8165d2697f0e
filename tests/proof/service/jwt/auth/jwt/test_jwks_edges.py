"""Further states of the issuer's keys: odd members, rotations during a fetch, a changing clock."""

import asyncio
import json
from collections.abc import Mapping

import httpx
import pytest
from hypothesis import HealthCheck, given, settings, strategies
from jose.backends.cryptography_backend import CryptographyECKey, CryptographyRSAKey
from starlette.testclient import TestClient

from app.auth.errors import InvalidToken, ProviderUnavailable
from app.auth.jwt.jwks import (
    FETCH_INTERVAL,
    HARD_LIMIT,
    LIFETIME,
    REFRESH_AGE,
    KeySet,
    read_key,
    read_key_set,
)
from tests.auth.jwt.signing import ISSUER, Issuer, call, signer, status
from tests.callers import Clock
from tests.conftest import Start

ALGORITHMS = frozenset({"RS256", "ES256", "ES384", "ES512"})
FIRST, SECOND = signer(), signer(number=2)
RSA, EC = FIRST.public, signer("ES256", 2).public


def without(key: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in key.items() if name not in names}


def key_set(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(RSA)


@pytest.fixture
def client(start: Start, issuer: Issuer) -> TestClient:
    return start(issuer, OLYMPUS_ISSUER=ISSUER)


def test_old_name_of_an_unknown_key_is_looked_up(client: TestClient, issuer: Issuer) -> None:
    """A refreshed token of Hydra names the old key, and may come before the new one is known."""
    status(client, FIRST.token())
    issuer.keys.insert(0, SECOND.public)

    assert status(client, SECOND.token({}, {"kid": FIRST.key_id})) == 200
    assert len(issuer.requests) == 2


@pytest.mark.parametrize(("named", "tried"), [(1, {2, 8}), (10, {9, 3}), (5, {1, 6, 8})])
def test_signature_is_tried_with_few_keys(start: Start, named: int, tried: set[int]) -> None:
    """First with those listed before the named one: Hydra lists a new key before the old one.

    Each try costs. A forged signature must not cost the whole set.
    """
    keys = {number: signer("ES256", number) for number in range(1, 12)}
    listed = Issuer(*(key.public for number, key in keys.items() if number < 11))
    client = start(listed, OLYMPUS_ISSUER=ISSUER, JWT_ALGORITHMS="ES256")
    header = {"kid": keys[named].key_id}
    accepted = {n for n, key in keys.items() if status(client, key.token({}, header)) == 200}

    assert len(accepted) == 8
    assert accepted >= tried


@pytest.mark.parametrize("key_id", ["", ...])
def test_token_that_names_no_key_is_tried_with_all(client: TestClient, key_id: object) -> None:
    assert status(client, FIRST.token({}, {"kid": key_id})) == 200


def test_keys_without_names_are_tried(start: Start) -> None:
    """`kid` is optional in a set (RFC 7517, section 4.5), but a token cannot name such a key."""
    keys = [without(key.public, "kid") for key in (FIRST, SECOND)]
    client = start(Issuer(*keys), OLYMPUS_ISSUER=ISSUER)

    assert status(client, SECOND.token({}, {"kid": ...})) == 200
    assert status(client, SECOND.token()) == 401


def test_rotation_during_a_fetch_is_seen(clock: Clock) -> None:
    """A token of the new key arrives while the old set is still in flight."""
    responses: asyncio.Queue[bytes] = asyncio.Queue()

    async def rotate() -> tuple[object, object]:
        keys = KeySet(responses.get, ALGORITHMS, clock)
        responses.put_nowait(key_set(RSA))
        await keys.verify(FIRST.token())
        junk = asyncio.create_task(keys.verify(SECOND.token({}, {"kid": "junk"})))
        await asyncio.sleep(0)
        valid = asyncio.create_task(keys.verify(SECOND.token()))
        await asyncio.sleep(0)
        responses.put_nowait(key_set(RSA))
        responses.put_nowait(key_set(SECOND.public))
        return await asyncio.gather(junk, valid, return_exceptions=True)

    junk, valid = asyncio.run(rotate())

    assert isinstance(junk, InvalidToken)
    assert not isinstance(valid, BaseException)


@pytest.mark.anyio
async def test_only_the_first_request_of_an_outage_waits(clock: Clock) -> None:
    """Those after it go on with the keys at hand, while a fetch is pending. So does readiness."""
    responses: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def fetch() -> bytes:
        if (response := await responses.get()) is None:
            raise ProviderUnavailable("timeout")
        return response

    async def is_verified_at_once() -> bool:
        request = asyncio.create_task(keys.verify(FIRST.token()))
        await asyncio.sleep(0)
        at_once = request.done()
        responses.put_nowait(None)
        await request
        return at_once

    keys = KeySet(fetch, ALGORITHMS, clock)
    responses.put_nowait(key_set(RSA))
    await keys.verify(FIRST.token())
    clock.now += LIFETIME
    outcomes = [await is_verified_at_once()]
    for _ in range(2):
        clock.now += FETCH_INTERVAL
        outcomes.append(await is_verified_at_once())
    await keys.keep_fresh(patience=HARD_LIMIT)
    keys.close()

    assert outcomes == [False, True, True]


@pytest.mark.anyio
@pytest.mark.parametrize(("age", "waits"), [(REFRESH_AGE, False), (LIFETIME, True)])
async def test_request_waits_only_for_old_keys(clock: Clock, age: int, waits: bool) -> None:
    responses: asyncio.Queue[bytes] = asyncio.Queue()
    keys = KeySet(responses.get, ALGORITHMS, clock)
    responses.put_nowait(key_set(RSA))
    await keys.verify(FIRST.token())
    clock.now += age
    request = asyncio.create_task(keys.verify(FIRST.token()))
    await asyncio.sleep(0)
    done = request.done()
    responses.put_nowait(key_set(RSA))
    await request
    keys.close()

    assert done is not waits


def test_failed_fetches_are_allowed_again_one_by_one(
    client: TestClient, issuer: Issuer, clock: Clock
) -> None:
    """One in ten seconds. Otherwise each request during an outage would call the issuer."""
    status(client, FIRST.token())
    issuer.response = lambda: httpx.Response(500)
    fetches = []
    for seconds in (0, 9, 1, 10, 1000):
        clock.now += seconds
        for _ in range(10):
            status(client, FIRST.token({}, {"kid": "unknown"}))
        fetches.append(len(issuer.requests) - 1)

    assert fetches == [5, 5, 6, 7, 12]


def test_clock_that_is_set_back_makes_keys_old(
    client: TestClient, issuer: Issuer, clock: Clock
) -> None:
    """Otherwise they would be used for ever."""
    status(client, FIRST.token())
    clock.now -= 86_400
    status(client, FIRST.token({"iat": ..., "nbf": ...}))

    assert len(issuer.requests) == 2


def test_clock_that_is_set_back_does_not_stop_fetches(
    client: TestClient, issuer: Issuer, clock: Clock
) -> None:
    for _ in range(10):
        status(client, FIRST.token({}, {"kid": "unknown"}))
    clock.now -= 86_400
    issuer.keys = [SECOND.public]
    before = len(issuer.requests)
    clock.now += FETCH_INTERVAL
    past = {"exp": clock.now + 60, "iat": clock.now, "nbf": clock.now}

    assert status(client, SECOND.token(past)) in (401, 503)
    clock.now += FETCH_INTERVAL
    assert status(client, SECOND.token(past)) == 200
    assert len(issuer.requests) > before


def test_outage_at_a_clock_that_is_set_back_is_unavailable(
    client: TestClient, issuer: Issuer, clock: Clock
) -> None:
    for _ in range(10):
        status(client, FIRST.token({}, {"kid": "unknown"}))
    clock.now -= 86_400

    assert call(client, FIRST.token()).status_code == 503


def test_fetch_is_cancelled_at_the_end(clock: Clock) -> None:
    """A service that is stopped does not wait for its issuer."""

    async def open_and_close() -> bool:
        async def fetch() -> bytes:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(True)
            raise AssertionError

        keys = KeySet(fetch, ALGORITHMS, clock)
        keys.start()
        await asyncio.sleep(0)
        keys.close()
        await asyncio.sleep(0)
        return bool(cancelled)

    cancelled: list[bool] = []

    assert asyncio.run(open_and_close())


NOT_USED: dict[str, tuple[Mapping[str, object], str]] = {
    "EdDSA": ({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA"}, "EdDSA is not supported"),
    "EdDSA by its kind": ({"kty": "OKP", "crv": "Ed25519"}, "EdDSA is not supported"),
    "padding": ({**RSA, "alg": "PS256"}, "PS256 is not supported"),
    "unknown kind": ({"kty": "AKP"}, "AKP is not supported"),
    "no kind": ({}, "None is not supported"),
    "algorithm is a list": ({**RSA, "alg": ["RS256"]}, "not supported"),
    "algorithm is deep": ({**RSA, "alg": [[["a" * 100]]]}, "not supported"),
    "use is a list": ({**RSA, "use": ["sig"]}, "not for verifying"),
    "operations are text": ({**RSA, "key_ops": "verify"}, "not for verifying"),
    "operations are a number": ({**RSA, "key_ops": 1}, "not for verifying"),
    "name is a number": ({**RSA, "kid": 7}, "its kid is not text"),
    "no modulus": (without(RSA, "n"), "its n is not base64url"),
    "no exponent": (without(RSA, "e"), "its e is not base64url"),
    "empty modulus": ({**RSA, "n": ""}, "its n is not base64url"),
    "junk in the modulus": ({**RSA, "n": f"{RSA['n']}!"}, "its n is not base64url"),
    "modulus is a huge number": ({**RSA, "n": 10**9}, "its n is not base64url"),
    "modulus of no length": ({**RSA, "n": "A"}, ""),
    "modulus is zero": ({**RSA, "n": "AA"}, ""),
    "modulus has few bits": (signer(number=4, size=1024).public, "its modulus has too few bits"),
    "modulus has many bits": ({**RSA, "n": "_" * 20_000}, "its modulus has too few bits"),
    "exponent is one": ({**RSA, "e": "AQ"}, ""),
    "exponent is below the usual one": ({**RSA, "e": "__8"}, "its exponent is not one"),
    "exponent of 33 bits": ({**RSA, "e": "AQAAAAE"}, "its exponent is not one"),
    "curve without a key": ({**EC, "crv": ["P-256"]}, "ES256 is not supported"),
    "no point": (without(EC, "x"), "its x is not base64url"),
    "point is a list": ({**EC, "y": [1]}, "its y is not base64url"),
    "point is long": ({**EC, "y": "_" * 200}, ""),
}


@pytest.mark.parametrize(("key", "reason"), NOT_USED.values(), ids=NOT_USED)
def test_unusable_key_is_logged_with_its_reason(
    key: Mapping[str, object], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log tells an operator which algorithm the issuer uses instead."""
    assert read_key_set(key_set(key), ALGORITHMS) == []
    (record,) = caplog.records
    assert reason in record.getMessage()
    assert len(record.getMessage()) < 150


USED: dict[str, Mapping[str, object]] = {
    "operations": {**RSA, "key_ops": ["sign", "verify"]},
    "no use": without(RSA, "use", "alg"),
    "no name": without(RSA, "kid"),
    "null algorithm": {**RSA, "alg": None},
    "padding": {**RSA, "n": f"{RSA['n']}=="},
    "zeros before the modulus": {**RSA, "n": f"AAAA{RSA['n']}"},
}


@pytest.mark.parametrize("key", USED.values(), ids=USED)
def test_usable_key_is_used(key: Mapping[str, object]) -> None:
    assert len(read_key_set(key_set(key), {"RS256"})) == 1


def test_key_without_an_algorithm_is_used_with_those_of_its_kind() -> None:
    """`alg` is optional (RFC 7517, 4.4). The curve of an EC key leaves one, RSA leaves several."""
    raw = key_set(without(RSA, "alg"), without(EC, "alg"))
    keys = read_key_set(raw, {"RS256", "RS512", "ES256", "ES384"})

    assert [(key.key_id, key.algorithm) for key in keys] == [
        ("key-1", "RS256"),
        ("key-1", "RS512"),
        ("key-2", "ES256"),
    ]


def test_keys_are_on_cryptography() -> None:
    """The arithmetic that python-jose has besides is slow and leaks timing."""
    keys = read_key_set(key_set(RSA, EC), ALGORITHMS)

    assert [type(key.key) for key in keys] == [CryptographyRSAKey, CryptographyECKey]


REFUSED: dict[str, bytes] = {
    "not JSON": b"<!DOCTYPE html>",
    "empty": b"",
    "list": b"[]",
    "no keys": b"{}",
    "keys are text": b'{"keys":"none"}',
    **{f"private member {name}": key_set(RSA, {name: "AQAB"}) for name in ("d", "p", "oth")},
    "private key that is not for signatures": key_set({"kty": "RSA", "use": "enc", "d": "AQAB"}),
    "name of a key that is left out": key_set(RSA, {"kid": "key-1"}),
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_set_is_refused_as_a_whole(raw: bytes) -> None:
    """The reason is for the log and quotes no key."""
    with pytest.raises(ValueError, match=r"^(the document|the set shows|two keys have)"):
        read_key_set(raw, ALGORITHMS)


junk = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(max_size=8),
    lambda inner: strategies.lists(inner, max_size=2),
    max_leaves=3,
)
names = strategies.sampled_from(
    ["kty", "crv", "use", "key_ops", "alg", "kid", "n", "e", "x", "y", "d"]
)
numbers = strategies.dictionaries(
    strategies.sampled_from(["n", "e", "x", "y"]),
    strategies.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="),
)


@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.dictionaries(names, junk) | numbers, strategies.sampled_from([RSA, EC]))
def test_no_member_breaks_the_reader(change: dict[str, object], good: dict[str, object]) -> None:
    """A member of a set becomes keys or is left out: no other exception comes out."""
    try:
        assert read_key({**good, **change}, ALGORITHMS)
    except ValueError:
        return
