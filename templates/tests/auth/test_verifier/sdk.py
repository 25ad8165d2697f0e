"""Tokens and answers that this service has to withstand: its attack list."""

import json
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given, strategies
from starlette.testclient import TestClient

from app.auth.claims import MalformedClaims, parse_claims, parse_object
from app.auth.principal import Principal
from app.auth.verifier import claims_of
from app.settings import Settings
from dev.provider import Provider
from tests.callers import AUDIENCE, NOW, bearer
from tests.conftest import ENVIRON, IssueToken, Start, problems

GOOD: dict[str, object] = {
    "active": True,
    "sub": "usr_anna",
    "client_id": "cli_web",
    "scope": "read:widgets write:widgets",
    "iss": "http://localhost:3102",
    "aud": [AUDIENCE],
    "exp": NOW + 3600,
    "iat": NOW,
    "token_type": "Bearer",
    "org_id": "org_7a2b3c4d",
    "org_name": "Acme Corp",
}
HUGE = 10**400
CUSTOM = {"role": "admin", "teams": ["a", {"b": None}]}
BINDING = {"jkt": "0ZcOCORZNYy"}
Beside = Callable[..., TestClient]


def without(*names: str) -> dict[str, object]:
    """Return the good answer with some claims left out."""
    return {name: value for name, value in GOOD.items() if name not in names}


def status(client: TestClient, token: str = "opaque") -> int:
    return client.get("/probe", headers=bearer(token)).status_code


ACCEPTED = {
    "as-it-comes": GOOD,
    "no-scopes": without("scope"),
    "audience-is-a-string": {**GOOD, "aud": AUDIENCE},
    "audience-is-one-of-several": {**GOOD, "aud": ["billing", AUDIENCE]},
    "no-subject-means-the-client": without("sub"),
    "bearer-in-any-case": {**GOOD, "token_type": "bearer"},
    "a-use-and-no-type": {**without("token_type"), "token_use": "access_token"},
    "no-issuer": without("iss"),
    "no-times": without("exp", "iat"),
    "fractions-of-a-second": {**GOOD, "exp": NOW + 0.5},
    "custom-data": {**GOOD, "permissions": CUSTOM, "act": None},
    "no-organization": without("org_id", "org_name"),
    "organization-is-null": {**GOOD, "org_id": None},
    "organization-in-the-other-spelling": {**without("org_id"), "organization_id": "org_1"},
    "organization-in-both-spellings": {**GOOD, "organization_id": "org_7a2b3c4d"},
    "nulls": {**GOOD, **dict.fromkeys(["scope", "exp", "nbf", "iat", "iss", "token_use", "cnf"])},
    "expired-within-the-leeway": {**GOOD, "exp": NOW - 9},
    "from-the-future-within-the-leeway": {**GOOD, "iat": NOW + 10, "nbf": NOW + 10},
}


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=ACCEPTED)
def test_a_good_answer_lets_the_caller_in(answer: Beside, document: dict[str, object]) -> None:
    assert status(answer(document)) == 200


REFUSED = {
    "I1-inactive": {"active": False},
    "I1-inactive-with-claims": {**GOOD, "active": False},
    "I3-refresh-token": {**GOOD, "token_use": "refresh_token"},
    "I3-unknown-use": {**GOOD, "token_use": "access_token "},
    "I3-no-use-and-no-type": without("token_type"),
    "I3-no-use-and-another-type": {**GOOD, "token_type": "N_A"},
    "I4-issuer-is-another": {**GOOD, "iss": "http://localhost:4102"},
    "C1-expired": {**GOOD, "exp": NOW - 11},
    "C1-expires-now": {**GOOD, "exp": NOW - 10},
    "C1-expired-long-ago": {**GOOD, "exp": 0},
    "C1-expiry-is-negative": {**GOOD, "exp": -1},
    "C4-not-yet-valid": {**GOOD, "nbf": NOW + 11},
    "C4-issued-tomorrow": {**GOOD, "iat": NOW + 86_400},
    "C5-audience-is-another": {**GOOD, "aud": ["https://billing.example"]},
    "C5-audience-is-longer": {**GOOD, "aud": [AUDIENCE + "/admin"]},
    "C5-audience-is-shorter": {**GOOD, "aud": AUDIENCE[:-1]},
    "C5-audience-is-empty": {**GOOD, "aud": []},
    "C5-audience-is-null": {**GOOD, "aud": None},
    "C5-audience-is-missing": without("aud"),
    "C6-issuer-has-a-slash": {**GOOD, "iss": "http://localhost:3102/"},
    "C6-issuer-in-another-case": {**GOOD, "iss": "http://LOCALHOST:3102"},
    "no subject and no client": without("sub", "client_id"),
    "C7-subject-is-empty": {**GOOD, "sub": ""},
    "C7-subject-is-blank": {**GOOD, "sub": " \t"},
    "C7-client-is-blank": {**without("sub"), "client_id": " "},
    "use and type are null": {**GOOD, "token_use": None, "token_type": None},
    "bound to a key": {**GOOD, "cnf": BINDING},
    "bound to a key by its type": {**GOOD, "token_use": "access_token", "token_type": "DPoP"},
    "two-organizations": {**GOOD, "organization_id": "org_other"},
}


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED)
def test_one_wrong_claim_refuses_the_token(start: Start, document: dict[str, object]) -> None:
    """The caller learns `invalid_token` and never which claim was wrong."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=document))
    client = start(transport, AVNOLOGY_ISSUER="http://localhost:3102")
    response = client.get("/probe", headers=bearer("opaque"))

    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert response.json() == {"detail": "Invalid or expired token"}


def test_a_leeway_of_nothing_is_exact(start: Start) -> None:
    """C1: a token is dead on the second of its expiry."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={**GOOD, "exp": NOW}))

    assert status(start(transport, CLOCK_LEEWAY="0")) == 401


def test_scopes_have_no_separator_but_the_space(answer: Beside) -> None:
    """A tab or a no-break space is part of the name of a scope."""
    client = answer({**GOOD, "scope": "read:widgets\twrite:widgets\u00a0write:widgets"})
    response = client.post("/probe", headers=bearer("opaque"), json={"text": "lever"})

    assert response.status_code == 403


def body(text: str | bytes) -> httpx.Response:
    return httpx.Response(200, content=text)


NONSENSE: dict[str, dict[str, object] | httpx.Response] = {
    "I2-active-is-text": {**GOOD, "active": "true"},
    "I2-active-is-one": {**GOOD, "active": 1},
    "I2-active-is-null": {**GOOD, "active": None},
    "I2-active-is-missing": without("active"),
    "I2-nothing": {},
    "C3-expiry-is-text": {**GOOD, "exp": str(NOW + 60)},
    "C3-expiry-is-true": {**GOOD, "exp": True},
    "C3-expiry-is-a-list": {**GOOD, "exp": [NOW + 60]},
    "C3-expiry-is-huge": {**GOOD, "exp": HUGE},
    "C3-expiry-is-not-finite": body(b'{"active":true,"sub":"a","exp":1e400}'),
    "C3-expiry-is-not-a-number": body(b'{"active":true,"sub":"a","exp":NaN}'),
    "C3-expiry-has-30000-digits": body(b'{"active":true,"exp":' + b"1" * 30_000 + b"}"),
    "C3-custom-number-is-not-finite": body(json.dumps(GOOD)[:-1] + ',"x":[-1e400]}'),
    "C4-issued-at-is-text": {**GOOD, "iat": "now"},
    "C5-audience-is-a-number": {**GOOD, "aud": 5},
    "C5-audience-holds-a-number": {**GOOD, "aud": [AUDIENCE, 5]},
    "C5-audience-is-an-object": {**GOOD, "aud": BINDING},
    "C6-issuer-is-a-list": {**GOOD, "iss": ["http://localhost:3102"]},
    "C7-subject-is-a-number": {**GOOD, "sub": 7},
    "C7-client-is-a-list": {**GOOD, "client_id": ["cli_web"]},
    "C9-scope-is-a-number": {**GOOD, "scope": 5},
    "C9-scope-holds-a-number": {**GOOD, "scope": ["read:widgets", 5]},
    "token-type-is-a-number": {**GOOD, "token_type": 1},
    "organization-is-a-number": {**GOOD, "org_id": 7},
    "organization-is-a-list": {**without("org_id"), "organization_id": ["org_1"]},
    "I7-html": body("<!DOCTYPE html><title>Sign in</title>"),
    "I7-bad-json": body('{"active":true'),
    "I7-list": body("[true]"),
    "I7-text": body('"active"'),
    "I7-empty": body(""),
    "I7-not-utf-8": body(b'{"active":true,"sub":"\xff"}'),
    "I7-utf-16": body('{"active":true,"sub":"a"}'.encode("utf-16")),
    "I7-a-name-twice": body(b'{"active":false,"active":true,"sub":"a"}'),
    "I7-half-a-surrogate-pair": body(b'{"active":true,"sub":"\\ud800","token_type":"Bearer"}'),
    "I7-nested-30000-deep": body(b'{"active":true,"ext":' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
    "I7-nested-600-deep": body(b'{"active":true,"ext":' + b"[" * 600 + b"]" * 600 + b"}"),
    "I7-nested-5000-deep": body(b'{"active":true,"ext":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "I7-10-megabytes": body(b'{"active":true,"pad":"' + b"a" * 10_000_000 + b'"}'),
    "I7-compressed": httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"\x1f\x8b")
    ),
    "I7-redirect": httpx.Response(302, headers={"Location": "http://localhost:3102/elsewhere"}),
    "I7-no-content": httpx.Response(204),
    "I7-created": httpx.Response(201, json=GOOD),
    "I7-404-of-another-server": httpx.Response(404, html="<!DOCTYPE html>"),
    "I7-500": httpx.Response(500, json=GOOD),
    "I7-400": httpx.Response(400, json={"error": "invalid_request"}),
    "I7-502": httpx.Response(502),
    "I8-401": httpx.Response(401, json={"error": "invalid_client"}),
    "I8-403": httpx.Response(403),
}


@pytest.mark.parametrize("response", NONSENSE.values(), ids=NONSENSE)
def test_an_answer_that_breaks_the_protocol_is_an_outage(
    answer: Beside, response: dict[str, object] | httpx.Response
) -> None:
    """The contract with the provider is broken: not the caller's fault, and never a yes."""
    refused = answer(response).get("/probe", headers=bearer("opaque"))

    assert refused.status_code == 503
    assert refused.json() == {"detail": "Identity provider unavailable"}
    assert "www-authenticate" not in refused.headers
    assert refused.headers["retry-after"] == "5"


DOCUMENTS = {name: row for name, row in NONSENSE.items() if isinstance(row, dict)}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_the_rules_of_this_service_do_without_those_of_the_client(
    document: dict[str, object],
) -> None:
    """Whatever client is put in the place of this one, and however much it lets through."""
    with pytest.raises(MalformedClaims):
        claims_of(json.dumps(document).encode())


FAILURES = {
    "I6-refused": httpx.ConnectError("refused"),
    "I6-lookup-failed": httpx.ConnectTimeout("no such host"),
    "I6-slow": httpx.ReadTimeout("slow"),
    "I6-cut-off": httpx.ReadError("cut off"),
    "I6-handshake": httpx.ConnectError("certificate verify failed"),
    "I6-not-of-httpx": UnicodeError("reason phrase"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_failing_wire_is_an_outage(start: Start, failure: Exception) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    assert status(start(httpx.MockTransport(fail))) == 503


RETRY_AFTER = {
    "I9-seconds": ("7", "7"),
    "zero-is-at-least-one": ("0", "1"),
    "a-day-is-at-most-an-hour": ("86400", "3600"),
    "absurd": ("9" * 5000, "3600"),
    "a-date": ("Fri, 15 Jan 2027 08:00:30 GMT", "30"),
    "a-date-in-the-past": ("Fri, 15 Jan 2021 08:00:00 GMT", "1"),
    "a-date-that-no-clock-shows": ("Fri, 15 Jan 99999999999999999999 08:00:30 GMT", "5"),
    "the-first-of-dates": ("Mon, 01 Jan 0001 00:00:00 -0000", "1"),
    "nonsense": ("soon", "5"),
    "a-fraction": ("1.5", "5"),
    "negative": ("-7", "5"),
    "a-digit-of-another-script": ("\u0667", "5"),
    "nothing": (None, "5"),
}


@pytest.mark.parametrize(("sent", "passed_on"), RETRY_AFTER.values(), ids=RETRY_AFTER)
def test_the_providers_rate_limit_is_passed_on(
    answer: Beside, sent: str | None, passed_on: str
) -> None:
    """I9: as a 503, because the caller did nothing wrong, with the provider's own wait."""
    headers = [] if sent is None else [(b"Retry-After", sent.encode())]
    client = answer(httpx.Response(429, headers=headers))
    response = client.get("/probe", headers=bearer("opaque"))

    assert response.status_code == 503
    assert response.headers["retry-after"] == passed_on


def test_a_revoked_token_is_refused_at_the_next_request(
    client: TestClient, provider: Provider, token: IssueToken
) -> None:
    """At the latest where it would do harm."""
    revoked = token(scopes=("write:widgets",))

    def delete() -> int:
        return client.delete("/probe", headers=bearer(revoked)).status_code

    before = delete()
    provider.revoke(revoked)

    assert [before, delete()] == [204, 401]


def test_the_longest_token_is_asked_about(client: TestClient, provider: Provider) -> None:
    assert status(client, "a" * 8192) == 401
    assert provider.calls == 1


def test_an_outage_is_over_when_it_is_over(
    client: TestClient, provider: Provider, token: IssueToken
) -> None:
    """Each request calls the provider, so the first one after the outage is accepted."""
    good = token()
    provider.outage = True
    during = status(client, good)
    provider.outage = False

    assert [during, status(client, good)] == [503, 200]


def test_visible_refresh_tokens_are_refused_unasked(client: TestClient, provider: Provider) -> None:
    assert status(client, "rt_abcdef") == 401
    assert provider.calls == 0


def test_a_refresh_token_without_its_prefix_is_refused(
    client: TestClient, token: IssueToken
) -> None:
    """I3: the provider calls a refresh token active too, whatever it is asked for."""
    assert status(client, token(subject="anna", token_use="refresh_token")) == 401


def test_a_provider_that_vouches_for_anything_is_not_ready(answer: Beside) -> None:
    """The probe is a token that was never issued. A provider that accepts it checks nothing."""
    assert answer(GOOD).get("/health/ready").status_code == 503


def test_refused_credentials_are_named_by_readiness(answer: Beside) -> None:
    """Waiting does not help there: somebody has to set other ones."""
    response = answer(httpx.Response(401)).get("/health/ready")

    assert response.status_code == 503
    assert response.json()["missing"] == ["identity provider"]


def test_the_question_is_a_plain_form(start: Start) -> None:
    """The credentials are in it, and no hint: that would never restrict the answer."""
    asked: list[httpx.Request] = []

    def record(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=GOOD)

    status(start(httpx.MockTransport(record), AVNOLOGY_CLIENT_SECRET="a&b=c"), "a+/b~c==")

    assert asked[0].method == "POST"
    assert str(asked[0].url) == ENVIRON["AVNOLOGY_BASE_URL"] + "/oauth2/introspect"
    assert asked[0].content == b"token=a%2B%2Fb~c%3D%3D&client_id=service&client_secret=a%26b%3Dc"
    assert asked[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked[0].headers["accept"] == "application/json"
    assert asked[0].headers["accept-encoding"] == "identity"
    assert "authorization" not in asked[0].headers


ORGANIZATIONS = {
    "none": (without("org_id"), None),
    "null": ({**GOOD, "org_id": None, "organization_id": None}, None),
    "empty": ({**GOOD, "org_id": ""}, None),
    "one-spelling": (GOOD, "org_7a2b3c4d"),
    "the-other-spelling": ({**without("org_id"), "organization_id": "org_1"}, "org_1"),
    "both": ({**GOOD, "organization_id": "org_7a2b3c4d"}, "org_7a2b3c4d"),
}


@pytest.mark.parametrize(("document", "organization"), ORGANIZATIONS.values(), ids=ORGANIZATIONS)
def test_the_organization_is_read_in_either_spelling(
    document: dict[str, object], organization: str | None
) -> None:
    claims = parse_claims(document)

    assert Principal.of(claims, "usr_anna").organization_id == organization


def test_the_log_names_the_request_and_not_the_answer(
    answer: Beside, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the id the platform's operator finds the rest."""
    body = {"code": "AVNOLOGY_AUTH_500", "details": {"a": "s3cret"}, "message": "row usr_anna"}
    response = httpx.Response(500, json=body, headers={"X-Request-Id": "req_42"})
    status(answer(response))
    written = capsys.readouterr().err

    assert "code=AVNOLOGY_AUTH_500 status=500 request_id=req_42" in written
    assert "reason=status_500" in written
    assert not [word for word in ("usr_anna", "s3cret") if word in written]


def test_a_provider_that_limits_says_for_how_long(start: Start, token: IssueToken) -> None:
    limited = httpx.Response(429, headers={"Retry-After": "11"})
    client = start(httpx.MockTransport(lambda _: limited))
    response = client.get("/probe", headers=bearer(token()))

    assert (response.status_code, response.headers["retry-after"]) == (503, "11")


WRONG_SETTINGS = {
    "no-url": ({"AVNOLOGY_BASE_URL": ""}, "AVNOLOGY_BASE_URL is missing"),
    "public-http": ({"AVNOLOGY_BASE_URL": "http://example.com/"}, "in clear"),
    "no-client": ({"AVNOLOGY_CLIENT_ID": " "}, "AVNOLOGY_CLIENT_ID is missing"),
    "no-secret": ({"AVNOLOGY_CLIENT_SECRET": ""}, "AVNOLOGY_CLIENT_SECRET is missing"),
    "key-with-a-blank": ({"AVNOLOGY_API_KEY": "ak_ s3cret"}, "AVNOLOGY_API_KEY holds a blank"),
    "key-with-a-line": ({"AVNOLOGY_API_KEY": "s3cret\nX: y"}, "AVNOLOGY_API_KEY holds a blank"),
    "no-such-address": (
        {"AVNOLOGY_BASE_URL": "https://300.1.1.1"},
        "AVNOLOGY_BASE_URL is not a URL",
    ),
    "issuer-is-no-url": ({"AVNOLOGY_ISSUER": "avnology"}, "AVNOLOGY_ISSUER is not a URL"),
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


def test_no_answer_breaks_the_service(start: Start) -> None:
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
