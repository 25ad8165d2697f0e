"""Users and their permissions: who is asked, what a caller sees, and which ids are never asked."""

from collections.abc import Callable
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Security
from httpx2 import Response
from starlette.testclient import TestClient

from app.auth import Principal
from app.auth.permissions import is_plain, require_permission
from app.routes.projects import project_of
from dev.provider import ANNA, API_KEY, BERT, Provider
from tests.callers import AUDIENCE, NOW, bearer
from tests.conftest import IssueToken, Start

PROFILE = "/api/profile"
PROJECT = "/api/projects/apollo"
UNAVAILABLE = (503, {"detail": "Identity provider unavailable"}, None)
DENIED = (403, {"detail": "Permission denied"}, None)
NOT_FOUND = (404, {"detail": "Not found"}, None)


def outcome(response: Response) -> tuple[int, object, str | None]:
    """Return what a caller sees."""
    return response.status_code, response.json(), response.headers.get("www-authenticate")


def test_a_user_sees_the_own_profile(client: TestClient, token: IssueToken) -> None:
    response = client.get(PROFILE, headers=bearer(token(subject=ANNA)))

    assert response.json() == {"email": "anna@example.org", "name": "Anna Example"}


def test_what_the_platform_leaves_out_is_null(
    client: TestClient, provider: Provider, token: IssueToken
) -> None:
    provider.users["usr_new"] = {"id": "usr_new"}
    response = client.get(PROFILE, headers=bearer(token(subject="usr_new")))

    assert response.json() == {"email": None, "name": None}


@pytest.mark.parametrize("subject", ["usr_unknown", "..", "a/b?c#d", "ü", "x" * 300])
def test_a_user_who_is_not_known_is_not_found(
    client: TestClient, token: IssueToken, subject: str
) -> None:
    response = client.get(PROFILE, headers=bearer(token(subject=subject)))

    assert outcome(response) == (404, {"detail": "User not found"}, None)


def test_a_machine_has_no_profile(client: TestClient, token: IssueToken) -> None:
    response = client.get(PROFILE, headers=bearer(token()))

    assert outcome(response) == (403, {"detail": "User token required"}, None)


def test_an_editor_updates_a_project(client: TestClient, token: IssueToken) -> None:
    response = client.put(PROJECT, headers=bearer(token(subject=ANNA)))

    assert outcome(response) == (200, {"updated": True}, None)


@pytest.mark.parametrize(("subject", "path"), [(BERT, PROJECT), (ANNA, "/api/projects/gemini")])
def test_others_do_not(client: TestClient, token: IssueToken, subject: str, path: str) -> None:
    """Without a challenge: no other token of this caller helps."""
    response = client.put(path, headers=bearer(token(subject=subject)))

    assert outcome(response) == DENIED


def test_a_machine_has_no_permissions(
    client: TestClient, provider: Provider, token: IssueToken
) -> None:
    """Even if a user had the client's id: a client id is no user id."""
    provider.permissions.add(("projects", "apollo", "editor", "identities:writer"))
    response = client.put(PROJECT, headers=bearer(token()))

    assert outcome(response) == (403, {"detail": "User token required"}, None)


def test_a_denial_is_logged(
    start: Start, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    start().put(PROJECT, headers=bearer(token(subject=BERT)))

    assert "request refused status=403 reason=permission" in capsys.readouterr().err


def test_a_permission_that_was_taken_away_shows_at_the_next_request(
    client: TestClient, provider: Provider, token: IssueToken
) -> None:
    headers = bearer(token(subject=ANNA))
    before = client.put(PROJECT, headers=headers).status_code
    provider.permissions.clear()

    assert [before, client.put(PROJECT, headers=headers).status_code] == [200, 403]


OTHER_TUPLES = {
    "colon": "a%3Ab",
    "hash": "apollo%23editor",
    "at": "apollo%40usr_anna",
    "nul": "apollo%00",
    "newline": "apollo%0A",
    "tab": "%09apollo",
    "delete": "apollo%7F",
    "next-line": "apollo%C2%85",
    "line-separator": "apollo%E2%80%A8",
    "right-to-left": "apollo%E2%80%AE",
    "too-long": "x" * 257,
}


@pytest.mark.parametrize("project_id", OTHER_TUPLES.values(), ids=OTHER_TUPLES)
def test_an_id_that_would_change_the_question_is_not_found_unasked(
    start: Start, provider: Provider, token: IssueToken, project_id: str
) -> None:
    """Not even in trouble: the platform would answer 503 here."""
    headers = bearer(token(subject=ANNA))
    transport = httpx.ASGITransport(provider)

    async def without_permissions(request: httpx.Request) -> httpx.Response:
        if "permissions" in request.url.path:
            return httpx.Response(503)
        return await transport.handle_async_request(request)

    client = start(httpx.MockTransport(without_permissions))
    response = client.put(f"/api/projects/{project_id}", headers=headers)

    assert outcome(response) == NOT_FOUND


@pytest.mark.parametrize("path", ["/api/projects/", "/api/projects/a%2Fb", "/api/projects/a/b"])
def test_a_path_of_another_form_is_not_found(
    client: TestClient, token: IssueToken, path: str
) -> None:
    assert client.put(path, headers=bearer(token(subject=ANNA))).status_code == 404


@pytest.mark.parametrize("project_id", ["x" * 256, "a b", "..%2e", "%C3%BC", "%27%22%5C", "*"])
def test_any_other_id_is_asked_about_as_it_is(
    client: TestClient, provider: Provider, token: IssueToken, project_id: str
) -> None:
    """Ids are the platform's, so nothing is guessed about them."""
    headers = bearer(token(subject=ANNA))
    before = client.put(f"/api/projects/{project_id}", headers=headers).status_code
    plain = str(httpx.URL(f"http://a/{project_id}").path)[1:]
    provider.permissions.add(("projects", plain, "editor", f"identities:{ANNA}"))

    assert [before, client.put(f"/api/projects/{project_id}", headers=headers).status_code] == [
        403,
        200,
    ]


@pytest.mark.parametrize("subject", ["a:b", "usr_anna#member", "a@b", "a\nb", "x" * 257])
def test_a_caller_whose_name_would_change_the_question_is_denied(
    client: TestClient, token: IssueToken, subject: str
) -> None:
    assert outcome(client.put(PROJECT, headers=bearer(token(subject=subject)))) == DENIED


@pytest.mark.parametrize(("identifier", "plain"), [("", False), ("a", True), ("\ud800", False)])
def test_an_id_that_no_path_can_hold(identifier: str, plain: bool) -> None:
    assert is_plain(identifier) is plain


@pytest.fixture
def scoped(start: Start) -> TestClient:
    """Start a service with a route that wants a scope and a permission."""

    def add_route(app: FastAPI) -> None:
        guard = Security(require_permission("editor", project_of), scopes=["write:projects"])

        @app.delete("/projects/{project_id}")
        async def drop(caller: Annotated[Principal, guard]) -> str | None:
            return f"{caller.subject} {caller.organization_id}"

    return start(prepare=add_route)


def test_a_permission_composes_with_scopes(scoped: TestClient, token: IssueToken) -> None:
    """The scope comes first, and the route gets the caller."""
    path = "/projects/apollo"
    both = scoped.delete(path, headers=bearer(token(("write:projects",), subject=ANNA)))
    no_scope = scoped.delete(path, headers=bearer(token(subject=ANNA)))
    no_permission = scoped.delete(path, headers=bearer(token(("write:projects",), subject=BERT)))
    no_token = scoped.delete(path)

    assert both.json() == "usr_anna org_7a2b3c4d"
    assert no_scope.status_code == 403
    assert no_scope.headers["www-authenticate"].endswith('scope="write:projects"')
    assert outcome(no_permission) == DENIED
    assert no_token.status_code == 401


def test_the_scopes_show_in_the_document(scoped: TestClient) -> None:
    operation = scoped.get("/openapi.json").json()["paths"]["/projects/{project_id}"]["delete"]

    assert operation["security"] == [{"bearer": ["write:projects"]}]


ANNAS_TOKEN = {"active": True, "sub": ANNA, "client_id": "web", "token_type": "Bearer"}
GIVEN = {"access_token": "t", "expires_in": 3600}
Beside = Callable[[httpx.Response], TestClient]


@pytest.fixture
def beside(start: Start) -> Beside:
    """Start the service beside a platform that knows the token, and then answers as it is told."""

    def start_beside(response: httpx.Response) -> TestClient:
        def handler(request: httpx.Request) -> httpx.Response:
            answers = {
                "/oauth2/introspect": {**ANNAS_TOKEN, "aud": [AUDIENCE], "exp": NOW + 60},
                "/oauth2/token": GIVEN,
            }
            document = answers.get(request.url.path)
            return response if document is None else httpx.Response(200, json=document)

        return start(httpx.MockTransport(handler))

    return start_beside


NONSENSE = {
    "html": httpx.Response(200, html="<!DOCTYPE html>"),
    "list": httpx.Response(200, json=[True]),
    "nothing": httpx.Response(200, json={"email": 7}),
    "text": httpx.Response(200, json={"allowed": "true", "email": []}),
    "one": httpx.Response(200, json={"allowed": 1, "name": 1}),
    "null": httpx.Response(200, json={"allowed": None, "email": True}),
    "twice": httpx.Response(200, content=b'{"allowed":false,"allowed":true,"id":"a","id":"b"}'),
    "half-a-surrogate-pair": httpx.Response(200, content=b'{"allowed":true,"email":"\\ud800"}'),
    "no-content": httpx.Response(204),
    "redirect": httpx.Response(302, headers={"Location": "http://localhost:1/"}),
    "bad-request": httpx.Response(400, json={"code": "AVNOLOGY_AUTH_902"}),
    "our-credentials": httpx.Response(401, json={"code": "AVNOLOGY_AUTH_005"}),
    "our-rights": httpx.Response(403, json={"code": "AVNOLOGY_AUTH_100"}),
    "conflict": httpx.Response(409),
    "down": httpx.Response(500, json={"allowed": True}),
    "long": httpx.Response(200, content=b'{"allowed":true,"pad":"' + b"a" * 70_000 + b'"}'),
}


@pytest.mark.parametrize("response", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize(("method", "path"), [("GET", PROFILE), ("PUT", PROJECT)])
def test_an_error_is_never_a_yes_and_never_the_callers_fault(
    beside: Beside, response: httpx.Response, method: str, path: str
) -> None:
    refused = beside(response).request(method, path, headers=bearer("opaque"))

    assert outcome(refused) == UNAVAILABLE
    assert refused.headers["retry-after"] == "5"


def test_a_platform_without_the_address_allows_nothing(beside: Beside) -> None:
    """A 404 is an answer about a user, and no answer about a permission."""
    client = beside(httpx.Response(404, html="<!DOCTYPE html>"))

    assert outcome(client.put(PROJECT, headers=bearer("opaque"))) == UNAVAILABLE


def test_a_limit_is_passed_on(beside: Beside) -> None:
    client = beside(httpx.Response(429, headers={"Retry-After": "9"}))
    answers = [client.get(PROFILE, headers=bearer("x")), client.put(PROJECT, headers=bearer("x"))]

    assert [answer.headers["retry-after"] for answer in answers] == ["9", "9"]


def test_missing_rights_of_ours_are_loud(
    beside: Beside, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the id of the request, and without what else the platform wrote."""
    body = {"code": "AVNOLOGY_AUTH_100", "message": "s3cret", "request_id": "req_7"}
    beside(httpx.Response(403, json=body)).put(PROJECT, headers=bearer("opaque"))
    written = capsys.readouterr().err

    marks = "code=AVNOLOGY_AUTH_100 status=403 request_id=req_7"
    assert f"ERROR app.auth identity provider refuses this service {marks}\n" in written
    assert "s3cret" not in written


def test_an_api_key_takes_the_place_of_a_token(start: Start, token: IssueToken) -> None:
    client = start(AVNOLOGY_API_KEY=API_KEY)
    anna = bearer(token(subject=ANNA))

    assert client.get(PROFILE, headers=anna).status_code == 200
    assert client.put(PROJECT, headers=anna).status_code == 200


def test_a_wrong_api_key_is_our_fault(start: Start, token: IssueToken) -> None:
    client = start(AVNOLOGY_API_KEY="ak_wrong")

    assert outcome(client.get(PROFILE, headers=bearer(token(subject=ANNA)))) == UNAVAILABLE
