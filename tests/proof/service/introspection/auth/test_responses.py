"""Further responses of introspection, and random ones."""

import json

import httpx
import pytest
from hypothesis import given, strategies

from app.auth.claims import MalformedClaims, parse_object
from tests.auth.test_verifier import AUDIENCE, GOOD, ISSUER, NOW, beside, body, but, status
from tests.conftest import Start

ACCEPTED = {
    "audience is text": but(aud=AUDIENCE),
    "custom data": but(ext={"role": "admin", "teams": ["a", {"b": None}]}),
    "one audience of several": but(aud=["billing", AUDIENCE]),
    "fractions of a second": but(exp=NOW + 0.5),
    "custom data is null": {**GOOD, "ext": None},
    "expired within the leeway": but(exp=NOW - 9),
    "from the future within the leeway": but(iat=NOW + 10, nbf=NOW + 10),
}


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=ACCEPTED)
def test_good_response(start: Start, document: dict[str, object]) -> None:
    assert status(beside(start, document)) == 200


REFUSED = {
    "use and type are null": {**GOOD, "token_use": None, "token_type": None},
    "expiry is negative": but(exp=-1),
    "a shorter audience": but(aud=AUDIENCE[:-1]),
    "audience is null": {**GOOD, "aud": None},
    "empty subject": but(sub=""),
    "another type": {**but(token_use=None), "token_type": "N_A"},
    "expired": but(exp=NOW - 11),
    "expired long ago": but(exp=0),
    "issuer in other case": but(iss=ISSUER.upper()),
    "blank client": but(sub=None, client_id=" "),
    "DPoP type without a use": {**but(token_use=None), "token_type": "DPoP"},
}


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED)
def test_refused_token(start: Start, document: dict[str, object]) -> None:
    assert status(beside(start, document)) == 401


def test_no_leeway_is_exact(start: Start) -> None:
    """A token has expired on the second of its expiry."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=but(exp=NOW)))

    assert status(start(transport, CLOCK_LEEWAY="0")) == 401


UNUSABLE = {
    "issued at is text": but(iat="now"),
    "audience is a number": but(aud=5),
    "issuer is a list": but(iss=[ISSUER]),
    "client is a list": but(client_id=["reader"]),
    "expiry is true": but(exp=True),
    "created": httpx.Response(201, json=GOOD),
    "type is a number": but(token_use=None, token_type=1),
    "an empty object": {},
    "expiry is a list": but(exp=[NOW + 60]),
    "expiry is huge": but(exp=10**400),
    "expiry is not a number": body(b'{"active":true,"sub":"a","exp":NaN}'),
    "expiry has 30000 digits": body(b'{"active":true,"exp":' + b"1" * 30_000 + b"}"),
    "custom number is not finite": body(json.dumps(GOOD)[:-1] + ',"x":[-1e400]}'),
    "audience is an object": but(aud={"jkt": "x"}),
    "scope is a number": but(scope=5),
    "bad JSON": body('{"active":true'),
    "text": body('"active"'),
    "not UTF-8": body(b'{"active":true,"sub":"\xff"}'),
    "UTF-16": body('{"active":true,"sub":"a"}'.encode("utf-16")),
    "half a surrogate pair": body(b'{"active":true,"sub":"\\ud800","token_type":"Bearer"}'),
    "nested 600 deep": body(b'{"active":true,"ext":' + b"[" * 600 + b"]" * 600 + b"}"),
    "nested 5000 deep": body(b'{"active":true,"ext":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "nested 30000 deep": body(b'{"active":true,"ext":' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
    "compressed": httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"\x1f\x8b")
    ),
    "no content": httpx.Response(204),
    "501": httpx.Response(501, json={"error": "unsupported_token_type"}),
    "502": httpx.Response(502),
}


@pytest.mark.parametrize("response", UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_response(start: Start, response: dict[str, object] | httpx.Response) -> None:
    assert status(beside(start, response)) == 503


FAILURES = {
    "refused": httpx.ConnectError("refused"),
    "lookup failed": httpx.ConnectTimeout("no such host"),
    "slow": httpx.ReadTimeout("slow"),
    "cut off": httpx.ReadError("cut off"),
    "not of httpx": UnicodeError("reason phrase"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_failing_wire(start: Start, failure: Exception) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    assert status(start(httpx.MockTransport(fail))) == 503


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
    names = strategies.sampled_from([*GOOD, "cnf", "ext", "scp"])

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
