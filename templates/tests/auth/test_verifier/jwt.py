"""Tokens that local verification has to withstand: the attack list of this service."""

import base64
import hmac
import json

import httpx
import pytest
from hypothesis import example, given, strategies
from starlette.testclient import TestClient

from app.auth.errors import InvalidToken
from app.auth.jwt.jws import parse_token
from app.settings import Settings
from tests.auth.jwt.signing import CLAIMS, ISSUER, Signer, encode, signer
from tests.callers import AUDIENCE, NOW, Clock, bearer
from tests.conftest import Start, problems

DEEP = b"[" * 3000 + b"]" * 3000
HUGE = 10**400
OURS = {"OLYMPUS_ISSUER": ISSUER, "JWT_ALGORITHMS": "RS256,ES256"}


@pytest.fixture
def key() -> Signer:
    """Return the key that the issuer signs with."""
    return signer()


@pytest.fixture
def asked() -> list[httpx.Request]:
    """Return what the service asked the issuer for."""
    return []


@pytest.fixture
def client(start: Start, key: Signer, asked: list[httpx.Request]) -> TestClient:
    """Return a caller of a service that trusts `key`."""

    def keys(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"keys": [key.public, signer("ES256", 2).public]})

    return start(httpx.MockTransport(keys), None, **OURS)


def status(client: TestClient, token: str) -> int:
    return client.get("/probe", headers=bearer(token)).status_code


def without(*names: str) -> dict[str, object]:
    """Return the good claims with some left out."""
    return {name: value for name, value in CLAIMS.items() if name not in names}


ACCEPTED = {
    "as-it-comes": CLAIMS,
    "scopes-as-text": {**without("scp"), "scope": "read:widgets"},
    "scopes-as-both": {**CLAIMS, "scope": "read:widgets"},
    "no-scopes": {**CLAIMS, "scp": []},
    "audience-is-a-string": {**CLAIMS, "aud": AUDIENCE},
    "no-custom-data": without("ext"),
    "custom-data-is-null": {**CLAIMS, "ext": None},
    "token-type-is-bearer": {**CLAIMS, "token_type": "bearer"},
    "nulls": {**CLAIMS, **dict.fromkeys(["nbf", "nonce", "cnf", "token_use", "token_type"])},
    "a-machine": {**CLAIMS, "sub": "reader"},
    "no-not-before": without("nbf"),
    "expired-within-the-leeway": {**CLAIMS, "exp": NOW - 9},
}


@pytest.mark.parametrize("claims", ACCEPTED.values(), ids=ACCEPTED)
def test_a_good_token_lets_the_caller_in(
    client: TestClient, key: Signer, claims: dict[str, object]
) -> None:
    assert status(client, key.token(claims)) == 200


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt", "jwt", "JWT"])
def test_the_types_of_access_tokens_are_known(client: TestClient, key: Signer, kind: str) -> None:
    assert status(client, key.token(CLAIMS, {"typ": kind})) == 200


def test_an_access_token_by_rfc_9068_may_have_no_scopes(client: TestClient, key: Signer) -> None:
    assert status(client, key.token(without("scp"), {"typ": "at+jwt"})) == 200


def test_another_allowed_algorithm_is_verified_with_its_own_key(client: TestClient) -> None:
    assert status(client, signer("ES256", 2).token(CLAIMS)) == 200


HASH = "77QmUPtjPfzWtF2AnpK9RQ"
WRONG_CLAIMS: dict[str, dict[str, object]] = {
    "T2-at-hash": {**CLAIMS, "at_hash": HASH},
    "T2-nonce": {**CLAIMS, "nonce": HASH},
    "T2-c-hash": {**CLAIMS, "c_hash": HASH},
    "T2-no-client": without("client_id"),
    "T2-client-is-blank": {**CLAIMS, "client_id": " "},
    "T2-no-scope-claim": without("scp"),
    "scopes are null": {**CLAIMS, "scp": None},
    "T2-audience-is-the-client": {**CLAIMS, "aud": ["reader"]},
    "T2-events": {**CLAIMS, "events": []},
    "token-use-is-refresh": {**CLAIMS, "token_use": "refresh_token"},
    "token-type-is-another": {**CLAIMS, "token_type": "refresh_token"},
    "bound to a key by its type": {**CLAIMS, "token_use": "access_token", "token_type": "DPoP"},
    "C1-expired": {**CLAIMS, "exp": NOW - 11},
    "C1-expires-now": {**CLAIMS, "exp": NOW - 10},
    "C2-no-expiry": without("exp"),
    "C3-expiry-is-text": {**CLAIMS, "exp": str(NOW + 60)},
    "C3-expiry-is-null": {**CLAIMS, "exp": None},
    "C3-expiry-is-true": {**CLAIMS, "exp": True},
    "C3-expiry-is-a-list": {**CLAIMS, "exp": [NOW + 60]},
    "C3-expiry-is-huge": {**CLAIMS, "exp": HUGE},
    "C4-not-yet-valid": {**CLAIMS, "nbf": NOW + 11},
    "C4-issued-tomorrow": {**CLAIMS, "iat": NOW + 86_400},
    "C4-issued-at-is-null": {**CLAIMS, "iat": None},
    "C4-no-issued-at": without("iat"),
    "C5-audience-is-another": {**CLAIMS, "aud": ["https://billing.example"]},
    "C5-audience-is-missing": without("aud"),
    "C5-audience-is-null": {**CLAIMS, "aud": None},
    "C5-audience-is-empty": {**CLAIMS, "aud": []},
    "C5-audience-is-a-number": {**CLAIMS, "aud": 5},
    "C5-audience-is-longer": {**CLAIMS, "aud": AUDIENCE + "/admin"},
    "C6-issuer-is-another": {**CLAIMS, "iss": "http://localhost:4102"},
    "C6-issuer-is-missing": without("iss"),
    "C6-issuer-is-null": {**CLAIMS, "iss": None},
    "C6-issuer-is-a-list": {**CLAIMS, "iss": [ISSUER]},
    "C6-issuer-has-a-slash": {**CLAIMS, "iss": ISSUER + "/"},
    "C6-issuer-in-another-case": {**CLAIMS, "iss": ISSUER.upper()},
    "C7-no-subject": without("sub"),
    "C7-subject-is-a-number": {**CLAIMS, "sub": 7},
    "C7-subject-is-empty": {**CLAIMS, "sub": ""},
    "C7-subject-is-blank": {**CLAIMS, "sub": "  "},
    "C9-scopes-are-a-number": {**CLAIMS, "scp": 5},
    "D1-bound-to-a-key": {**CLAIMS, "cnf": []},
}


@pytest.mark.parametrize("claims", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
def test_one_wrong_claim_refuses_the_token(
    client: TestClient, key: Signer, claims: dict[str, object]
) -> None:
    """The caller learns `invalid_token` and never which claim was wrong."""
    response = client.get("/probe", headers=bearer(key.token(claims)))

    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert response.json() == {"detail": "Invalid or expired token"}


def test_a_token_whose_audience_is_only_the_client_is_an_id_token(start: Start) -> None:
    """T2: also where any audience is accepted."""
    keys = httpx.MockTransport(lambda _: httpx.Response(200, json={"keys": [signer().public]}))
    client = start(keys, OLYMPUS_ISSUER=ISSUER, AUDIENCE="", ACCEPT_ANY_AUDIENCE="true")

    assert status(client, signer().token({**CLAIMS, "aud": ["reader"]})) == 401
    assert status(client, signer().token({**CLAIMS, "aud": ["reader", "other"]})) == 200


PAYLOADS = {
    "not-json": b"exp=1",
    "not-utf-8": b'{"sub":"\xff"}',
    "a-list": b"[]",
    "a-name-twice": json.dumps(CLAIMS).encode()[:-1] + b',"sub":"root"}',
    "C3-not-a-number": b'{"exp":NaN}',
    "C3-not-finite": json.dumps(CLAIMS).encode()[:-1] + b',"x":[-1e400]}',
    "S4-deep": b'{"ext":' + DEEP[:2000] + b"}",
    "half-a-surrogate-pair": b'{"sub":"\\ud800"}',
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_signed_payload_that_is_no_claims_is_refused(
    client: TestClient, key: Signer, payload: bytes
) -> None:
    assert status(client, key.token(payload)) == 401


HEADERS: dict[str, dict[str, object] | bytes] = {
    **{f"A1-alg-{name!r}": {"alg": name} for name in ["none", "None", "nOnE", "", None, 1]},
    "A1-alg-is-a-list": {"alg": ["RS256"]},
    "A1-alg-is-an-object": {"alg": CLAIMS},
    "A1-no-alg": {"alg": ...},
    "A1-alg-in-another-case": {"alg": "rs256"},
    "A5-hash-is-another": {"alg": "RS384"},
    "A5-padding-is-another": {"alg": "PS256"},
    "K2-key-is-a-number": {"kid": 1},
    "K2-key-is-null": {"kid": None},
    "K2-key-is-long": {"kid": "k" * 257},
    "K5-own-key": {"jwk": signer(number=9).public},
    "K5-url-of-keys": {"jku": "http://localhost:9/keys"},
    "K5-url-of-certificate": {"x5u": "http://localhost:9/cert"},
    "K5-certificate": {"x5c": ["MIIB"]},
    "T1-no-type": {"typ": ...},
    "T1-type-is-null": {"typ": None},
    "T1-type-is-a-list": {"typ": ["JWT"]},
    "T1-logout": {"typ": "logout+jwt"},
    "T1-security-event": {"typ": "secevent+jwt"},
    "T1-proof-of-possession": {"typ": "dpop+jwt"},
    "T1-id-token": {"typ": "id_token+jwt"},
    "T3-unknown-extension": {"crit": ["exp"]},
    "T3-no-extension": {"crit": []},
    "T3-not-encoded": {"crit": ["b64"], "b64": False},
    "T4-compressed": {"zip": "DEF"},
    "T4-nested": {"cty": "JWT"},
    "S4-deep": b'{"alg":"RS256","typ":"JWT","x":' + DEEP[:5000] + b"}",
    "S4-long-number": b'{"alg":"RS256","typ":"JWT","x":' + b"1" * 4000 + b"9" * 1000 + b"}",
    "S4-algorithm-twice": b'{"alg":"none","alg":"RS256","kid":"key-1","typ":"JWT"}',
    "S4-list": b'["alg","RS256"]',
    "S4-null": b"null",
    "S4-not-finite": b'{"alg":"RS256","kid":"key-1","typ":"JWT","x":1e400}',
    "S4-not-utf-8": b'{"alg":"RS256","typ":"JWT","kid":"\xff"}',
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_header_that_asks_for_more_is_refused(
    client: TestClient, key: Signer, asked: list[httpx.Request], header: dict[str, object] | bytes
) -> None:
    """The signature is good in every row, only the header is not. It causes no fetch of keys."""
    assert status(client, key.token(CLAIMS, header)) == 401
    assert len(asked) == 1


OTHER_KEYS: dict[str, dict[str, object]] = {
    "algorithm of another kind": {"alg": "ES256"},
    "unknown key id": {"kid": "key-of-tomorrow"},
    "key of another algorithm": {"kid": "key-2"},
}


@pytest.mark.parametrize("header", OTHER_KEYS.values(), ids=OTHER_KEYS)
def test_a_header_that_names_another_key_is_refused(
    client: TestClient, key: Signer, asked: list[httpx.Request], header: dict[str, object]
) -> None:
    """The issuer may have such a key by now, so its keys are fetched again, from its own URL."""
    assert status(client, key.token(CLAIMS, header)) == 401
    assert [str(request.url) for request in asked] == [str(asked[0].url)] * 2


def test_a_key_of_an_algorithm_that_is_not_on_the_list_is_no_key() -> None:
    """A1: refused by its name, before any key is looked for."""
    with pytest.raises(InvalidToken, match="algorithm"):
        parse_token(signer("ES256", 2).token(CLAIMS), {"RS256"})


def test_an_algorithm_is_a_name_and_not_a_part_of_one(key: Signer) -> None:
    """A1: a list that is searched like text would take `RS2`, and the empty name."""
    for name in ("RS2", "", "256"):
        with pytest.raises(InvalidToken, match="algorithm"):
            parse_token(key.token(CLAIMS, {"alg": name}), {"RS256"})


def test_an_absurd_name_of_a_key_is_not_looked_up(
    client: TestClient, key: Signer, asked: list[httpx.Request], clock: Clock
) -> None:
    """A key id that is too long causes no fetch of keys."""
    status(client, key.token(CLAIMS))
    clock.now += 60

    assert status(client, key.token(CLAIMS, {"kid": "k" * 257})) == 401
    assert len(asked) == 1


def test_another_backend_of_python_jose_is_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own arithmetic is slow and leaks timing."""
    monkeypatch.setattr("jose.backends.RSAKey", None)
    with pytest.raises(RuntimeError, match=r"install python-jose\[cryptography\]"):
        start()


def shared_secret(secret: bytes) -> str:
    """Return a token that is signed with a shared secret instead of a key pair."""
    header = encode(json.dumps({"alg": "HS256", "kid": "key-1", "typ": "JWT"}).encode())
    signing_input = f"{header}.{encode(json.dumps(CLAIMS).encode())}"
    return f"{signing_input}.{encode(hmac.digest(secret, signing_input.encode(), 'sha256'))}"


@pytest.mark.parametrize("algorithms", ["RS256", "RS256,ES256"])
def test_the_public_key_is_no_shared_secret(start: Start, key: Signer, algorithms: str) -> None:
    """A2, A4: our public key is everybody's, and so is an empty secret."""
    keys = httpx.MockTransport(lambda _: httpx.Response(200, json={"keys": [key.public]}))
    client = start(keys, None, **{**OURS, "JWT_ALGORITHMS": algorithms})
    pem = key.private.public_key().to_pem()

    assert [status(client, shared_secret(secret)) for secret in (pem, b"", b"secret")] == [401] * 3


def respell(segment: str) -> str:
    """Return another spelling of the same bytes: the last character has spare bits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) ^ 1]


def mangled(token: str) -> dict[str, str]:
    """Return what can be done to a token without its key."""
    header, payload, signature = token.split(".")
    other = signer(number=9).token(CLAIMS).split(".")
    return {
        "K1-foreign-key": f"{header}.{payload}." + other[2],
        "S1-no-signature": f"{header}.{payload}.",
        "S1-short-signature": f"{header}.{payload}.{signature[:-4]}",
        "S1-long-signature": f"{header}.{payload}.{signature}AAAA",
        "S1-zeros": f"{header}.{payload}." + encode(bytes(256)),
        "S2-padding": f"{header}.{payload}.{signature}==",
        "S2-other-alphabet": f"{header}.{payload}.{signature}".replace("-", "+").replace("_", "/"),
        "S2-length-of-no-bytes": f"{header}.{payload}.{signature[:-1]}",
        "S2-respelled-signature": f"{header}.{payload}.{respell(signature)}",
        "S3-one-segment": header,
        "S3-two-segments": f"{header}.{payload}",
        "S3-four-segments": f"{token}.{signature}",
        "S3-five-segments": f"{header}..{payload}.{signature}.{signature}",
        "S3-dots": "..",
        "T4-json": base64.b64encode(json.dumps({"payload": payload}).encode()).decode(),
    }


@pytest.mark.parametrize("name", mangled(signer().token(CLAIMS)))
def test_a_mangled_token_is_refused(client: TestClient, key: Signer, name: str) -> None:
    assert status(client, mangled(key.token(CLAIMS))[name]) == 401


def test_a_foreign_token_of_our_name_is_refused(client: TestClient) -> None:
    """A key id does not prove that the token is signed with that key."""
    forged = signer(number=9).token(CLAIMS, {"kid": "key-1"})

    assert status(client, forged) == 401


def test_no_other_spelling_of_a_token_is_accepted(client: TestClient, key: Signer) -> None:
    """Every bit of a token counts: with any of them turned, it is another token."""
    token = key.token(CLAIMS)
    changed = [
        token[:place] + chr(ord(token[place]) ^ 1 << bit) + token[place + 1 :]
        for place in range(0, len(token), 3)
        for bit in range(6)
    ]
    accepted = []
    for spelling in changed:
        headers = [(b"Authorization", b"Bearer " + spelling.encode("latin-1"))]
        if client.get("/probe", headers=headers).status_code != 401:
            accepted.append(spelling)

    assert status(client, token) == 200
    assert accepted == []


@given(strategies.text(alphabet='eyJ.-_=+/~AZaz09{}[]" ', max_size=80) | strategies.text())
@example("e30.e30.e30")
@example(encode(b'{"alg":"RS256","typ":"JWT"}') + ".\u00e9.AAAA")
def test_no_text_breaks_the_parser(text: str) -> None:
    """A token is taken apart or refused: no other exception comes out."""
    try:
        parse_token(text, {"RS256"})
    except InvalidToken:
        return


def test_no_signed_header_breaks_the_service(client: TestClient, key: Signer) -> None:
    """Whatever a header says: in or out, never a 500."""
    names = strategies.sampled_from(["alg", "kid", "typ", "crit", "x"])
    values = strategies.recursive(
        strategies.none() | strategies.integers() | strategies.text(max_size=5),
        lambda inner: strategies.lists(inner, max_size=2),
        max_leaves=3,
    )

    @given(strategies.dictionaries(names, values))
    def check(header: dict[str, object]) -> None:
        assert status(client, key.token(CLAIMS, header)) in (200, 401)

    check()


WRONG_SETTINGS = {
    "no-issuer": ({"OLYMPUS_ISSUER": ""}, "OLYMPUS_ISSUER is missing"),
    "public-http": ({"OLYMPUS_ISSUER": "http://example.com"}, "OLYMPUS_ISSUER sends tokens"),
    "keys-over-public-http": ({"OLYMPUS_JWKS_URL": "http://example.com"}, "OLYMPUS_JWKS_URL sends"),
    "no-such-address": ({"OLYMPUS_ISSUER": "https://300.1.1.1"}, "OLYMPUS_ISSUER is not a URL"),
    "unknown-algorithm": ({"JWT_ALGORITHMS": "RS256,EdDSA"}, "JWT_ALGORITHMS must be 'RS256'"),
    "shared-secret": ({"JWT_ALGORITHMS": "HS256"}, "JWT_ALGORITHMS must be 'RS256'"),
    "no-algorithm": ({"JWT_ALGORITHMS": ","}, "JWT_ALGORITHMS names nothing"),
    "none": ({"JWT_ALGORITHMS": "none"}, "JWT_ALGORITHMS must be 'RS256'"),
}


@pytest.mark.parametrize(("change", "sentence"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_wrong_settings_are_explained(change: dict[str, str], sentence: str) -> None:
    (problem,) = problems(Settings, **change)

    assert sentence in problem


@pytest.mark.parametrize(
    ("told", "address"),
    [("", f"{ISSUER}/.well-known/jwks.json"), ("http://hydra:5002/keys", "http://hydra:5002/keys")],
)
def test_the_keys_are_the_issuers_unless_told_otherwise(
    start: Start, key: Signer, asked: list[httpx.Request], told: str, address: str
) -> None:
    def keys(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"keys": [key.public]})

    client = start(httpx.MockTransport(keys), None, **{**OURS, "OLYMPUS_JWKS_URL": told})

    assert status(client, key.token(CLAIMS)) == 200
    assert [str(request.url) for request in asked] == [address]
