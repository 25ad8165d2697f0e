"""Users and their permissions: what a caller sees, and which ids are never sent."""

from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Security
from httpx2 import Response
from starlette.testclient import TestClient

from app.auth import Principal
from app.auth.permissions import require_permission
from app.routes.projects import project_of
from dev.provider import ANNA, API_KEY, BERT, Provider
from tests.callers import AUDIENCE, NOW, bearer
from tests.conftest import IssueToken, Start

PROFILE = "/api/profile"
PROJECT = "/api/projects/apollo"
UNAVAILABLE = (503, {"detail": "Identity provider unavailable"}, None)
DENIED = (403, {"detail": "Permission denied"}, None)
USERS_ONLY = (403, {"detail": "User token required"}, None)
NOT_FOUND = (404, {"detail": "Not found"}, None)
NO_USER = (404, {"detail": "User not found"}, None)


def outcome(response: Response) -> tuple[int, object, str | None]:
    """Return what a caller sees."""
    return response.status_code, response.json(), response.headers.get("www-authenticate")


PROFILES: dict[str, tuple[str | None, object]] = {
    "a user": (ANNA, (200, {"email": "anna@example.org", "name": "Anna Example"}, None)),
    "nothing is known": ("usr_new", (200, {"email": None, "name": None}, None)),
    "no such user": ("usr_unknown", NO_USER),
    "a path": ("a/b?c#d", NO_USER),
    "steps in a path": ("..", NO_USER),
    "long": ("x" * 300, NO_USER),
    "a machine": (None, USERS_ONLY),
}


@pytest.mark.parametrize(("subject", "expected"), PROFILES.values(), ids=PROFILES)
def test_user_sees_the_own_profile(
    client: TestClient, provider: Provider, token: IssueToken, subject: str | None, expected: object
) -> None:
    provider.users["usr_new"] = {"id": "usr_new"}
    response = client.get(PROFILE, headers=bearer(token(subject=subject)))

    assert outcome(response) == expected


PROJECTS: dict[str, tuple[str | None, str, object]] = {
    "an editor": (ANNA, PROJECT, (200, {"updated": True}, None)),
    "a viewer": (BERT, PROJECT, DENIED),
    "another project": (ANNA, "/api/projects/gemini", DENIED),
    "a machine": (None, PROJECT, USERS_ONLY),
    "a subject of two parts": ("usr:anna", PROJECT, DENIED),
    "a subject that is a set": ("usr_anna#member", PROJECT, DENIED),
    "a project of two parts": (ANNA, "/api/projects/a%3Ab", NOT_FOUND),
    "a set of projects": (ANNA, "/api/projects/apollo%23editor", NOT_FOUND),
    "a project with a subject": (ANNA, "/api/projects/apollo%40usr_anna", NOT_FOUND),
    "a line of a project": (ANNA, "/api/projects/apollo%0A", NOT_FOUND),
    "a long project": (ANNA, "/api/projects/" + "x" * 257, NOT_FOUND),
}


@pytest.mark.parametrize(("subject", "path", "expected"), PROJECTS.values(), ids=PROJECTS)
def test_only_editors_update_a_project(
    client: TestClient,
    provider: Provider,
    token: IssueToken,
    subject: str | None,
    path: str,
    expected: object,
) -> None:
    """A client id is no user id, also where a user has the same one."""
    provider.permissions.add(("projects", "apollo", "editor", "identities:writer"))
    response = client.put(path, headers=bearer(token(subject=subject)))

    assert outcome(response) == expected


def test_withdrawn_permission_shows_at_the_next_request(
    client: TestClient, provider: Provider, token: IssueToken
) -> None:
    headers = bearer(token(subject=ANNA))
    before = client.put(PROJECT, headers=headers).status_code
    provider.permissions.clear()

    assert [before, client.put(PROJECT, headers=headers).status_code] == [200, 403]


@pytest.mark.parametrize("project_id", ["x" * 256, "a b", "..%2e", "%C3%BC", "%27%22%5C", "*"])
def test_any_other_id_is_sent_as_it_is(
    client: TestClient, provider: Provider, token: IssueToken, project_id: str
) -> None:
    plain = str(httpx.URL(f"http://a/{project_id}").path)[1:]
    provider.permissions.add(("projects", plain, "editor", f"identities:{ANNA}"))
    response = client.put(f"/api/projects/{project_id}", headers=bearer(token(subject=ANNA)))

    assert response.status_code == 200


def test_scope_comes_before_the_permission(start: Start, token: IssueToken) -> None:
    """The route gets the caller, and the OpenAPI document names the scope."""
    guard = Security(require_permission("editor", project_of), scopes=["write:projects"])

    def add_route(app: FastAPI) -> None:
        @app.delete("/projects/{project_id}")
        async def drop(caller: Annotated[Principal, guard]) -> str | None:
            return f"{caller.subject} {caller.organization_id}"

    client, path = start(prepare=add_route), "/projects/apollo"
    both = client.delete(path, headers=bearer(token(("write:projects",), subject=ANNA)))
    no_scope = client.delete(path, headers=bearer(token(subject=ANNA)))
    no_permission = client.delete(path, headers=bearer(token(("write:projects",), subject=BERT)))
    document = client.get("/openapi.json").json()["paths"]["/projects/{project_id}"]

    assert both.json() == "usr_anna org_7a2b3c4d"
    assert no_scope.headers["www-authenticate"].endswith('scope="write:projects"')
    assert outcome(no_permission) == DENIED
    assert document["delete"]["security"] == [{"bearer": ["write:projects"]}]


def beside(start: Start, response: httpx.Response) -> TestClient:
    """Start the service beside a platform that knows the token, and then sends `response`."""
    claims = {"active": True, "sub": ANNA, "client_id": "web", "token_type": "Bearer"}
    known = {
        "/oauth2/introspect": {**claims, "aud": [AUDIENCE], "exp": NOW + 60},
        "/oauth2/token": {"access_token": "t", "expires_in": 3600},
    }

    def respond(request: httpx.Request) -> httpx.Response:
        document = known.get(request.url.path)
        return response if document is None else httpx.Response(200, json=document)

    return start(httpx.MockTransport(respond))


FAILURES = {
    "html": httpx.Response(200, html="<!DOCTYPE html>"),
    "text": httpx.Response(200, json={"allowed": "true", "email": []}),
    "one": httpx.Response(200, json={"allowed": 1, "display_name": 1}),
    "null": httpx.Response(200, json={"allowed": None, "email": True}),
    "twice": httpx.Response(200, content=b'{"allowed":false,"allowed":true,"id":"a","id":"b"}'),
    "no content": httpx.Response(204),
    "redirect": httpx.Response(302, headers={"Location": "http://localhost:1/"}),
    "our credentials": httpx.Response(401, json={"code": "AVNOLOGY_AUTH_005"}),
    "our scopes": httpx.Response(403, json={"code": "AVNOLOGY_AUTH_100"}),
    "down": httpx.Response(500, json={"allowed": True}),
    "long": httpx.Response(200, content=b'{"allowed":true,"pad":"' + b"a" * 70_000 + b'"}'),
    "limit": httpx.Response(429, headers={"Retry-After": "5"}),
}


@pytest.mark.parametrize("response", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize(("method", "path"), [("GET", PROFILE), ("PUT", PROJECT)])
def test_failure_allows_nothing(
    start: Start, response: httpx.Response, method: str, path: str
) -> None:
    """And it is not the caller's fault."""
    refused = beside(start, response).request(method, path, headers=bearer("opaque"))

    assert outcome(refused) == UNAVAILABLE
    assert refused.headers["retry-after"] == "5"


@pytest.mark.parametrize(("key", "status"), [(API_KEY, 200), ("ak_wrong", 503)])
def test_api_key_takes_the_place_of_a_token(
    start: Start, token: IssueToken, key: str, status: int
) -> None:
    client, anna = start(AVNOLOGY_API_KEY=key), bearer(token(subject=ANNA))

    assert client.get(PROFILE, headers=anna).status_code == status
    assert client.put(PROJECT, headers=anna).status_code == status
