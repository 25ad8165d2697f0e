"""The attack list: tokens that the service must refuse, however well they are signed."""

import base64
import hmac

import pytest
from starlette.testclient import TestClient

from app.settings import Settings
from tests.auth.jwt.signing import ISSUER, Issuer, Members, call, encode, segment, signer, status
from tests.callers import AUDIENCE, NOW
from tests.conftest import Start, problems

OURS, CURVE, FOREIGN = signer(), signer("ES256", 2), signer(number=9)
BINDING = {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}
VARIABLES = {"OLYMPUS_ISSUER": ISSUER, "JWT_ALGORITHMS": "RS256,ES256"}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(OURS.public, CURVE.public)


@pytest.fixture
def client(start: Start, issuer: Issuer) -> TestClient:
    return start(issuer, None, **VARIABLES)


ACCEPTED = {
    "as Hydra issues it": OURS.token(),
    "scopes as text": OURS.token({"scp": ..., "scope": "read:widgets"}),
    "no scopes": OURS.token({"scp": []}),
    "audience is text": OURS.token({"aud": AUDIENCE}),
    "no custom data": OURS.token({"ext": ...}),
    "null claims": OURS.token(dict.fromkeys(["ext", "nbf", "nonce", "cnf", "token_use"])),
    "token type": OURS.token({"token_type": "bearer"}),
    "a machine": OURS.token({"sub": "reader"}),
    "expired within the leeway": OURS.token({"exp": NOW - 9}),
    "type of RFC 9068": OURS.token({"scp": ...}, {"typ": "at+jwt"}),
    "type in full": OURS.token({}, {"typ": "application/AT+JWT"}),
    "elliptic curve": CURVE.token(),
}


@pytest.mark.parametrize("token", ACCEPTED.values(), ids=ACCEPTED)
def test_good_token_is_accepted(client: TestClient, token: str) -> None:
    assert status(client, token) == 200


WRONG_CLAIMS: dict[str, Members] = {
    "expired": {"exp": NOW - 11},
    "expires now": {"exp": NOW - 10},
    "no expiry": {"exp": ...},
    "expiry is null": {"exp": None},
    "expiry is text": {"exp": str(NOW + 60)},
    "expiry is true": {"exp": True},
    "expiry is huge": {"exp": 10**400},
    "not yet valid": {"nbf": NOW + 11},
    "issued tomorrow": {"iat": NOW + 86_400},
    "no time of issue": {"iat": ...},
    "other audience": {"aud": ["https://billing.example"]},
    "no audience": {"aud": ...},
    "empty audience": {"aud": []},
    "audience is a number": {"aud": 5},
    "audience that begins like ours": {"aud": AUDIENCE + "/admin"},
    "other issuer": {"iss": "http://localhost:4102"},
    "no issuer": {"iss": ...},
    "issuer with a slash": {"iss": ISSUER + "/"},
    "no subject": {"sub": ...},
    "blank subject": {"sub": " "},
    "subject is a number": {"sub": 7},
    "no client": {"client_id": ...},
    "blank client": {"client_id": " "},
    "scopes are a number": {"scp": 5},
    "ID token with a hash": {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"},
    "ID token with a nonce": {"nonce": "77QmUPtjPfzWtF2AnpK9RQ"},
    "ID token for the client": {"aud": ["reader"]},
    "no scope claim": {"scp": ...},
    "security event": {"events": []},
    "refresh token": {"token_use": "refresh_token"},
    "bound to a key": {"cnf": BINDING},
    "bound to a key by its type": {"token_type": "DPoP"},
    "name twice": b'{"sub":"anna","sub":"root"}',
    "not JSON": b"sub=anna",
    "list": b"[]",
    "NaN": b'{"exp":NaN}',
}
WRONG_HEADERS: dict[str, Members] = {
    "unsigned": {"alg": "none"},
    "unsigned, in another case": {"alg": "nOnE"},
    "no algorithm": {"alg": ...},
    "algorithm is a list": {"alg": ["RS256"]},
    "algorithm in another case": {"alg": "rs256"},
    "other hash": {"alg": "RS384"},
    "other padding": {"alg": "PS256"},
    "algorithm twice": b'{"alg":"none","alg":"RS256","kid":"key-1","typ":"JWT"}',
    "key in the header": {"jwk": FOREIGN.public},
    "URL of keys": {"jku": "http://localhost:9/keys"},
    "URL of a certificate": {"x5u": "http://localhost:9/certificate"},
    "certificate": {"x5c": ["MIIB"]},
    "key id is a number": {"kid": 1},
    "key id is long": {"kid": "k" * 257},
    "no type": {"typ": ...},
    "logout token": {"typ": "logout+jwt"},
    "security event token": {"typ": "secevent+jwt"},
    "proof of possession": {"typ": "dpop+jwt"},
    "unknown extension": {"crit": ["exp"]},
    "payload is not encoded": {"crit": ["b64"], "b64": False},
    "compressed": {"zip": "DEF"},
    "nested token": {"cty": "JWT"},
    "header is deep": b'{"alg":"RS256","typ":"JWT","x":' + b"[" * 2500 + b"]" * 2500 + b"}",
    "header is a list": b'["alg","RS256"]',
    "header is not UTF-8": b'{"alg":"RS256","typ":"JWT","kid":"\xff"}',
}
HEADER, PAYLOAD, SIGNATURE = OURS.token().split(".")
UNSIGNED = f"{HEADER}.{PAYLOAD}"


def shared_secret(secret: bytes) -> str:
    """Return a token that is signed with a shared secret instead of a key pair."""
    header = segment({"alg": "HS256", "kid": "key-1", "typ": "JWT"}, {})
    signature = hmac.digest(secret, f"{header}.{PAYLOAD}".encode(), "sha256")
    return f"{header}.{PAYLOAD}.{encode(signature)}"


def respelled(segment: str) -> str:
    """Return another spelling of the same bytes: the last character has spare bits."""
    return segment[:-1] + chr(ord(segment[-1]) + 1)


FORGED = {
    "our public key as a secret": shared_secret(OURS.private.public_key().to_pem()),
    "empty secret": shared_secret(b""),
    "foreign key of our name": FOREIGN.token({}, {"kid": "key-1"}),
    "unknown key id": OURS.token({}, {"kid": "key-of-tomorrow"}),
    "key of another algorithm": OURS.token({}, {"kid": "key-2"}),
    "algorithm of another key": OURS.token({}, {"alg": "ES256"}),
    "no signature": f"{UNSIGNED}.",
    "signature of another token": f"{UNSIGNED}.{OURS.token().rpartition('.')[2]}",
    "short signature": f"{UNSIGNED}.{SIGNATURE[:-4]}",
    "long signature": f"{UNSIGNED}.{SIGNATURE}AAAA",
    "signature of zeros": f"{UNSIGNED}.{encode(bytes(256))}",
    "padding": f"{UNSIGNED}.{SIGNATURE}==",
    "other alphabet": f"{UNSIGNED}.{SIGNATURE[:-5]}+/{SIGNATURE[-3:]}",
    "respelled signature": f"{UNSIGNED}.{respelled(SIGNATURE)}",
    "one segment": HEADER,
    "two segments": UNSIGNED,
    "four segments": f"{UNSIGNED}.{SIGNATURE}.{SIGNATURE}",
    "encrypted": f"{HEADER}..{PAYLOAD}.{SIGNATURE}.{SIGNATURE}",
    "dots": "..",
    "JSON serialisation": base64.b64encode(b'{"payload":"e30","signatures":[]}').decode(),
}
REFUSED = {
    **{name: OURS.token(claims) for name, claims in WRONG_CLAIMS.items()},
    **{name: OURS.token({}, header) for name, header in WRONG_HEADERS.items()},
    **FORGED,
}


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED)
def test_bad_token_is_refused(client: TestClient, issuer: Issuer, token: str) -> None:
    """The caller never learns which rule failed, and no URL of a token is fetched."""
    response = call(client, token)

    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert response.json() == {"detail": "Invalid or expired token"}
    assert set(issuer.requests) == {issuer.requests[0]}


@pytest.mark.parametrize("header", WRONG_HEADERS.values(), ids=WRONG_HEADERS)
def test_bad_header_fetches_no_keys(client: TestClient, issuer: Issuer, header: Members) -> None:
    """The signature is good in every row. Only at the start were keys fetched."""
    status(client, OURS.token({}, header))

    assert len(issuer.requests) == 1


def test_id_token_is_refused_for_any_audience(start: Start, issuer: Issuer) -> None:
    """An ID token has only the client as its audience."""
    client = start(issuer, None, **VARIABLES, AUDIENCE="", ACCEPT_ANY_AUDIENCE="true")

    assert status(client, OURS.token({"aud": ["reader"]})) == 401
    assert status(client, OURS.token({"aud": ["reader", "other"]})) == 200


WRONG_SETTINGS = {
    "no issuer": ({"OLYMPUS_ISSUER": ""}, "OLYMPUS_ISSUER is missing"),
    "keys over public http": ({"OLYMPUS_JWKS_URL": "http://example.com"}, "OLYMPUS_JWKS_URL sends"),
    "shared secret": ({"JWT_ALGORITHMS": "HS256"}, "JWT_ALGORITHMS must be 'RS256'"),
    "unsigned": ({"JWT_ALGORITHMS": "RS256,none"}, "JWT_ALGORITHMS must be 'RS256'"),
    "no algorithm": ({"JWT_ALGORITHMS": ","}, "JWT_ALGORITHMS names nothing"),
}


@pytest.mark.parametrize(("change", "sentence"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_wrong_settings_are_explained(change: dict[str, str], sentence: str) -> None:
    (problem,) = problems(Settings, **change)

    assert sentence in problem


URLS = {"": f"{ISSUER}/.well-known/jwks.json", "http://hydra:5002/keys": "http://hydra:5002/keys"}


@pytest.mark.parametrize(("setting", "url"), URLS.items(), ids=["default", "set"])
def test_keys_are_fetched_from(start: Start, issuer: Issuer, setting: str, url: str) -> None:
    client = start(issuer, None, **VARIABLES, OLYMPUS_JWKS_URL=setting)

    assert status(client, OURS.token()) == 200
    assert issuer.requests == [url]
