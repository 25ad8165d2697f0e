"""Further tokens that local verification refuses: more forms of the rows of its attack list."""

import json

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies
from starlette.testclient import TestClient

from app.auth.errors import InvalidToken
from app.auth.jwt.jws import parse_token
from app.settings import Settings
from tests.auth.jwt.signing import ISSUER, Issuer, Members, encode, signer, status
from tests.callers import NOW, Clock, bearer
from tests.conftest import Start, problems

OURS, CURVE = signer(), signer("ES256", 2)
RS256 = frozenset({"RS256"})
DEEP = b"[" * 3000 + b"]" * 3000
reproducible = settings(
    derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(OURS.public, CURVE.public)


@pytest.fixture
def client(start: Start, issuer: Issuer) -> TestClient:
    return start(issuer, OLYMPUS_ISSUER=ISSUER, JWT_ALGORITHMS="RS256,ES256")


ACCEPTED: dict[str, tuple[Members, Members]] = {
    "scopes as both": ({"scope": "read:widgets"}, {}),
    "null list of scopes beside text": ({"scp": None, "scope": "read:widgets"}, {}),
    "no time from which it is valid": ({"nbf": ...}, {}),
    "not valid before this moment": ({"nbf": NOW + 10, "iat": NOW + 10}, {}),
    "null token type": ({"token_type": None}, {}),
    "use is named": ({"token_use": "access_token"}, {}),
    "type in upper case": ({}, {"typ": "AT+JWT"}),
    "type in lower case": ({}, {"typ": "jwt"}),
    "type of RFC 9068 for the client": ({"aud": ["https://widgets.example"]}, {"typ": "at+jwt"}),
}


@pytest.mark.parametrize(("claims", "header"), ACCEPTED.values(), ids=ACCEPTED)
def test_good_token_is_accepted(client: TestClient, claims: Members, header: Members) -> None:
    assert status(client, OURS.token(claims, header)) == 200


CLAIMS: dict[str, Members] = {
    "ID token with another hash": {"c_hash": "AA"},
    "ID token with a hash of the state": {"s_hash": "AA"},
    "null scopes": {"scp": None},
    "empty token use": {"token_use": ""},
    "token use is false": {"token_use": False},
    "token type of a refresh token": {"token_type": "refresh_token"},
    "token type DPoP": {"token_use": "access_token", "token_type": "DPoP"},
    "empty binding": {"cnf": {}},
    "expiry is a list": {"exp": [NOW + 60]},
    "null time of issue": {"iat": None},
    "null audience": {"aud": None},
    "null issuer": {"iss": None},
    "issuer is a list": {"iss": [ISSUER]},
    "issuer in another case": {"iss": ISSUER.upper()},
    "empty subject": {"sub": ""},
    "expiry is not finite": b'{"exp":1e400}',
    "number that is not finite": b'{"x":[-1e400]}',
    "deep": b'{"ext":' + DEEP[:2000] + b"}",
    "half a surrogate pair": b'{"sub":"\\ud800"}',
    "not UTF-8": b'{"sub":"\xff"}',
}


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
def test_bad_claims_are_refused(client: TestClient, claims: Members) -> None:
    assert status(client, OURS.token(claims)) == 401


HEADERS: dict[str, Members] = {
    **{f"algorithm {name!r}": {"alg": name} for name in ["None", "", "RS2", None, 1]},
    "algorithm is an object": {"alg": {"name": "RS256"}},
    "null key id": {"kid": None},
    "null type": {"typ": None},
    "type is a list": {"typ": ["JWT"]},
    "ID token": {"typ": "id_token+jwt"},
    "empty list of extensions": {"crit": []},
    "encrypted": {"enc": "A256GCM"},
    "not encoded": {"b64": False},
    "null": b"null",
    "long number": b'{"alg":"RS256","typ":"JWT","x":' + b"1" * 5000 + b"}",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_bad_header_is_refused(client: TestClient, issuer: Issuer, header: Members) -> None:
    """The signature is good in every row. No keys are fetched for it."""
    assert status(client, OURS.token({}, header)) == 401
    assert len(issuer.requests) == 1


def test_key_id_has_a_limit(client: TestClient, issuer: Issuer, clock: Clock) -> None:
    """A longer one is not looked up, at any time."""
    clock.now += 60
    refused = [status(client, OURS.token({}, {"kid": "k" * length})) for length in (257, 256)]

    assert refused == [401, 401]
    assert len(issuer.requests) == 2


def test_algorithm_is_refused_by_its_name() -> None:
    """Before any key is looked for. A part of a name is no name."""
    for name in ("ES256", "RS2", "256", ""):
        with pytest.raises(InvalidToken) as refusal:
            parse_token(OURS.token({}, {"alg": name}), RS256)
        assert refusal.value.reason == "algorithm"


REASONS = {
    "not_compact": "ory_at_x.y",
    "header": OURS.token({}, {"jwk": {}}),
    "key_id": OURS.token({}, {"kid": 1}),
    "type": OURS.token({}, {"typ": "logout+jwt"}),
}


@pytest.mark.parametrize(("reason", "token"), REASONS.items(), ids=REASONS)
def test_reason_is_named(reason: str, token: str) -> None:
    """For the log, and for the table in the README."""
    with pytest.raises(InvalidToken) as refusal:
        parse_token(token, RS256)

    assert refusal.value.reason == reason


def test_token_has_one_spelling(client: TestClient) -> None:
    """Every bit of a token counts: with any of them turned, it is another token."""
    token = OURS.token()
    accepted = []
    for place in range(0, len(token), 3):
        for bit in range(6):
            other = token[:place] + chr(ord(token[place]) ^ 1 << bit) + token[place + 1 :]
            headers = [(b"Authorization", b"Bearer " + other.encode("latin-1"))]
            if client.get("/probe", headers=headers).status_code != 401:
                accepted.append(other)

    assert status(client, token) == 200
    assert accepted == []


SEGMENTS = OURS.token().split(".")


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("junk", ["=", "==", "+", "/", "\n", " ", "é"])
def test_segment_holds_no_other_character(number: int, junk: str) -> None:
    """Decoders skip them, so that a token would have many spellings."""
    segments = [*SEGMENTS]
    segments[number] += junk

    with pytest.raises(InvalidToken) as refusal:
        parse_token(".".join(segments), RS256)
    assert refusal.value.reason == "not_compact"


@reproducible
@given(strategies.text(alphabet='eyJ.-_=+/~AZaz09{}[]" ', max_size=80) | strategies.text())
@example("e30.e30.e30")
@example(encode(b'{"alg":"RS256","typ":"JWT"}') + ".\u00e9.AAAA")
@example("\ud800.\ud800.\ud800")
def test_no_text_breaks_the_parser(text: str) -> None:
    """A token is taken apart or refused: no other exception comes out."""
    try:
        parse_token(text, RS256)
    except InvalidToken:
        return


def test_no_signed_header_breaks_the_service(client: TestClient) -> None:
    """Whatever a header says: in or out, never a 500."""
    values = strategies.recursive(
        strategies.none() | strategies.integers() | strategies.text(max_size=5),
        lambda inner: strategies.lists(inner, max_size=2),
        max_leaves=3,
    )
    names = strategies.sampled_from(["alg", "kid", "typ", "crit", "x"])

    @reproducible
    @given(strategies.dictionaries(names, values))
    def check(header: dict[str, object]) -> None:
        assert status(client, OURS.token({}, json.dumps(header).encode())) in (200, 401)

    check()


def test_caller_is_named(client: TestClient) -> None:
    response = client.get("/probe", headers=bearer(OURS.token({"sub": "berta"})))

    assert response.json() == "berta"


WRONG_SETTINGS = {
    "issuer over public http": ({"OLYMPUS_ISSUER": "http://example.com"}, "OLYMPUS_ISSUER sends"),
    "no such address": ({"OLYMPUS_ISSUER": "https://300.1.1.1"}, "OLYMPUS_ISSUER is not a URL"),
    "unknown algorithm": ({"JWT_ALGORITHMS": "RS256,EdDSA"}, "JWT_ALGORITHMS must be 'RS256'"),
}


@pytest.mark.parametrize(("change", "sentence"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_wrong_settings_are_explained(change: dict[str, str], sentence: str) -> None:
    (problem,) = problems(Settings, **change)

    assert sentence in problem
