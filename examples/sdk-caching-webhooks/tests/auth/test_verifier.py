"""Tokens and responses that this service has to withstand: its attack list."""

import httpx
import pytest
from starlette.testclient import TestClient

from app.auth.claims import parse_claims
from app.auth.principal import Principal
from app.settings import Settings
from dev.provider import Provider
from tests.callers import AUDIENCE, NOW, bearer
from tests.conftest import ENVIRON, IssueToken, Start, problems

ISSUER = "http://localhost:3102"
GOOD: dict[str, object] = {
    "active": True,
    "sub": "usr_anna",
    "client_id": "cli_web",
    "scope": "read:widgets write:widgets",
    "iss": ISSUER,
    "aud": [AUDIENCE],
    "exp": NOW + 3600,
    "iat": NOW,
    "token_type": "Bearer",
    "org_id": "org_7a2b3c4d",
    "org_name": "Acme Corp",
}
BINDING = {"jkt": "0ZcOCORZNYy"}
NULLS = dict.fromkeys(["scope", "exp", "nbf", "iat", "iss", "token_use", "cnf", "org_id"])


def without(*names: str) -> dict[str, object]:
    """Return the good response with some claims left out."""
    return {name: value for name, value in GOOD.items() if name not in names}


def beside(start: Start, response: object, issuer: str = "") -> TestClient:
    """Start the service beside a platform with one response for every request."""
    sent = response if isinstance(response, httpx.Response) else httpx.Response(200, json=response)
    return start(httpx.MockTransport(lambda _: sent), AVNOLOGY_ISSUER=issuer)


def status(client: TestClient, token: str = "opaque") -> int:
    return client.get("/probe", headers=bearer(token)).status_code


ACCEPTED = {
    "good": GOOD,
    "audience is text": {**GOOD, "aud": AUDIENCE},
    "one audience of several": {**GOOD, "aud": ["billing", AUDIENCE]},
    "no subject: the client's own": without("sub"),
    "bearer in another case": {**GOOD, "token_type": "bearer"},
    "use, and no type": {**without("token_type"), "token_use": "access_token"},
    "no issuer": without("iss"),
    "no times": without("exp", "iat"),
    "custom claims": {**GOOD, "teams": [{"role": "admin", "lead": None}, "a"]},
    "no organization": without("org_id", "org_name"),
    "organization in both spellings": {**GOOD, "organization_id": "org_7a2b3c4d"},
    "nulls": {**GOOD, **NULLS},
    "expired within the leeway": {**GOOD, "exp": NOW - 9},
    "from the future within the leeway": {**GOOD, "iat": NOW + 10, "nbf": NOW + 10},
}


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=ACCEPTED)
def test_good_token_is_accepted(start: Start, document: dict[str, object]) -> None:
    assert status(beside(start, document, ISSUER)) == 200


REFUSED = {
    "inactive": {"active": False},
    "inactive with claims": {**GOOD, "active": False},
    "refresh token": {**GOOD, "token_use": "refresh_token"},
    "no use and no type": without("token_type"),
    "no use and another type": {**GOOD, "token_type": "N_A"},
    "another issuer": {**GOOD, "iss": "http://localhost:4102"},
    "issuer with a slash": {**GOOD, "iss": ISSUER + "/"},
    "expired": {**GOOD, "exp": NOW - 10},
    "not yet valid": {**GOOD, "nbf": NOW + 11},
    "issued tomorrow": {**GOOD, "iat": NOW + 86_400},
    "another audience": {**GOOD, "aud": ["https://billing.example"]},
    "longer audience": {**GOOD, "aud": [AUDIENCE + "/admin"]},
    "empty audience": {**GOOD, "aud": []},
    "no audience": without("aud"),
    "no subject and no client": without("sub", "client_id"),
    "blank subject": {**GOOD, "sub": " \t"},
    "bound to a key": {**GOOD, "cnf": BINDING},
    "bound to a key by its type": {**GOOD, "token_use": "access_token", "token_type": "DPoP"},
    "two organizations": {**GOOD, "organization_id": "org_other"},
}


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED)
def test_one_wrong_claim_refuses_the_token(start: Start, document: dict[str, object]) -> None:
    """The caller learns `invalid_token` and never which claim was wrong."""
    client = beside(start, document, ISSUER)
    response = client.get("/probe", headers=bearer("opaque"))

    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert response.json() == {"detail": "Invalid or expired token"}


def body(text: str | bytes) -> httpx.Response:
    return httpx.Response(200, content=text)


FAILURES: dict[str, dict[str, object] | httpx.Response] = {
    "active is text": {**GOOD, "active": "true"},
    "active is one": {**GOOD, "active": 1},
    "active is null": {**GOOD, "active": None},
    "active is missing": without("active"),
    "expiry is text": {**GOOD, "exp": str(NOW + 60)},
    "expiry is true": {**GOOD, "exp": True},
    "expiry is not finite": body(b'{"active":true,"sub":"a","exp":1e400}'),
    "expiry is no number": body(b'{"active":true,"sub":"a","exp":NaN}'),
    "audience holds a number": {**GOOD, "aud": [AUDIENCE, 5]},
    "issuer is a list": {**GOOD, "iss": [ISSUER]},
    "subject is a number": {**GOOD, "sub": 7},
    "scope is a number": {**GOOD, "scope": 5},
    "organization is a number": {**GOOD, "org_id": 7},
    "organization is a list": {**without("org_id"), "organization_id": ["org_1"]},
    "html": body("<!DOCTYPE html><title>Sign in</title>"),
    "list": body("[true]"),
    "not UTF-8": body(b'{"active":true,"sub":"\xff"}'),
    "a name twice": body(b'{"active":false,"active":true,"sub":"a"}'),
    "half a surrogate pair": body(b'{"active":true,"sub":"\\ud800","token_type":"Bearer"}'),
    "nested": body(b'{"active":true,"ext":' + b"[" * 30_000 + b"]" * 30_000 + b"}"),
    "10 megabytes": body(b'{"active":true,"pad":"' + b"a" * 10_000_000 + b'"}'),
    "redirect": httpx.Response(302, headers={"Location": "http://localhost:3102/elsewhere"}),
    "no content": httpx.Response(204),
    "failure": httpx.Response(500, json=GOOD),
    "bad request": httpx.Response(400, json={"error": "invalid_request"}),
    "our credentials": httpx.Response(401, json={"error": "invalid_client"}),
    "our rights": httpx.Response(403),
}


@pytest.mark.parametrize("response", FAILURES.values(), ids=FAILURES)
def test_unusable_response_is_an_outage(
    start: Start, response: dict[str, object] | httpx.Response
) -> None:
    """It is not the caller's fault, and never a yes."""
    refused = beside(start, response).get("/probe", headers=bearer("opaque"))

    assert refused.status_code == 503
    assert refused.json() == {"detail": "Identity provider unavailable"}
    assert "www-authenticate" not in refused.headers
    assert refused.headers["retry-after"] == "5"


WAITS = {"7": "7", "0": "1", "86400": "3600", "Fri, 15 Jan 2027 08:00:30 GMT": "30", "soon": "5"}


@pytest.mark.parametrize(("sent", "passed_on"), WAITS.items())
def test_rate_limit_is_passed_on(start: Start, sent: str, passed_on: str) -> None:
    """As a 503, because the caller did nothing wrong, with the platform's own wait."""
    client = beside(start, httpx.Response(429, headers={"Retry-After": sent}))
    response = client.get("/probe", headers=bearer("opaque"))

    assert (response.status_code, response.headers["retry-after"]) == (503, passed_on)


def test_revoked_token_is_refused_at_the_next_request(
    client: TestClient, provider: Provider, token: IssueToken
) -> None:
    """At the latest where it would do harm."""
    revoked = token(scopes=("write:widgets",))

    def delete() -> int:
        return client.delete("/probe", headers=bearer(revoked)).status_code

    before = delete()
    provider.revoke(revoked)

    assert [before, delete()] == [204, 401]


def test_visible_refresh_token_needs_no_call(client: TestClient, provider: Provider) -> None:
    assert status(client, "rt_abcdef") == 401
    assert provider.calls == 0


def test_service_is_not_ready_where_any_token_is_active(start: Start) -> None:
    """The probe is a token that was never issued."""
    assert beside(start, GOOD).get("/health/ready").status_code == 503


def test_readiness_names_refused_credentials(start: Start) -> None:
    """Waiting does not help there: an operator has to set other ones."""
    response = beside(start, httpx.Response(401)).get("/health/ready")

    assert response.status_code == 503
    assert response.json()["missing"] == ["identity provider"]


def test_call_is_a_plain_form(start: Start) -> None:
    """The credentials are in it, and no hint: that would never restrict the response."""
    sent: list[httpx.Request] = []

    def record(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json=GOOD)

    status(start(httpx.MockTransport(record), AVNOLOGY_CLIENT_SECRET="a&b=c"), "a+/b~c==")

    assert sent[0].method == "POST"
    assert str(sent[0].url) == ENVIRON["AVNOLOGY_BASE_URL"] + "/oauth2/introspect"
    assert sent[0].content == b"token=a%2B%2Fb~c%3D%3D&client_id=service&client_secret=a%26b%3Dc"
    assert sent[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert sent[0].headers["accept"] == "application/json"
    assert sent[0].headers["accept-encoding"] == "identity"
    assert "authorization" not in sent[0].headers


ORGANIZATIONS = {
    "none": (without("org_id"), None),
    "empty": ({**GOOD, "org_id": ""}, None),
    "one spelling": (GOOD, "org_7a2b3c4d"),
    "the other spelling": ({**without("org_id"), "organization_id": "org_1"}, "org_1"),
    "both": ({**GOOD, "organization_id": "org_7a2b3c4d"}, "org_7a2b3c4d"),
}


@pytest.mark.parametrize(("document", "organization"), ORGANIZATIONS.values(), ids=ORGANIZATIONS)
def test_organization_has_two_spellings(
    document: dict[str, object], organization: str | None
) -> None:
    claims = parse_claims(document)

    assert Principal.of(claims, "usr_anna").organization_id == organization


def test_log_names_the_request_and_not_the_response(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the id the platform's operator finds the rest."""
    content = {"code": "AVNOLOGY_AUTH_500", "details": {"a": "s3cret"}, "message": "row usr_anna"}
    response = httpx.Response(500, json=content, headers={"X-Request-Id": "req_42"})
    status(beside(start, response))
    written = capsys.readouterr().err

    assert "code=AVNOLOGY_AUTH_500 status=500 request_id=req_42" in written
    assert "reason=status_500" in written
    assert not [word for word in ("usr_anna", "s3cret") if word in written]


WRONG_SETTINGS = {
    "no URL": ({"AVNOLOGY_BASE_URL": ""}, "AVNOLOGY_BASE_URL is missing"),
    "public http": ({"AVNOLOGY_BASE_URL": "http://example.com/"}, "in clear"),
    "no client": ({"AVNOLOGY_CLIENT_ID": " "}, "AVNOLOGY_CLIENT_ID is missing"),
    "no secret": ({"AVNOLOGY_CLIENT_SECRET": ""}, "AVNOLOGY_CLIENT_SECRET is missing"),
    "key with a blank": ({"AVNOLOGY_API_KEY": "ak_ s3cret"}, "AVNOLOGY_API_KEY holds a blank"),
    "issuer is no URL": ({"AVNOLOGY_ISSUER": "avnology"}, "AVNOLOGY_ISSUER is not a URL"),
}


@pytest.mark.parametrize(("change", "sentence"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_wrong_settings_are_explained(change: dict[str, str], sentence: str) -> None:
    (problem,) = problems(Settings, **change)

    assert sentence in problem
    assert "s3cret" not in problem
