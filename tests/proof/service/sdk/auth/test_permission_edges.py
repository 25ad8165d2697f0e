"""Further ids and responses that a permission has to withstand."""

import httpx
import pytest
from starlette.testclient import TestClient

from dev.provider import ANNA, BERT, Provider
from tests.auth.test_permissions import DENIED, NOT_FOUND, PROFILE, PROJECT, beside, outcome
from tests.callers import bearer
from tests.conftest import IssueToken, Start

OTHER_TUPLES = {
    "nul": "apollo%00",
    "tab": "%09apollo",
    "delete": "apollo%7F",
    "next line": "apollo%C2%85",
    "line separator": "apollo%E2%80%A8",
    "right to left": "apollo%E2%80%AE",
}


@pytest.mark.parametrize("project_id", OTHER_TUPLES.values(), ids=OTHER_TUPLES)
def test_id_that_would_change_the_tuple_is_not_sent(start: Start, project_id: str) -> None:
    """The platform would respond with 503 here."""
    client = beside(start, httpx.Response(503))

    assert outcome(client.put(f"/api/projects/{project_id}", headers=bearer("x"))) == NOT_FOUND


@pytest.mark.parametrize("subject", ["a@b", "a\nb", "x" * 257])
def test_subject_that_would_change_the_tuple_is_denied(
    client: TestClient, token: IssueToken, subject: str
) -> None:
    assert outcome(client.put(PROJECT, headers=bearer(token(subject=subject)))) == DENIED


@pytest.mark.parametrize("path", ["/api/projects/", "/api/projects/a%2Fb", "/api/projects/a/b"])
def test_path_of_another_form_is_not_found(
    client: TestClient, token: IssueToken, path: str
) -> None:
    assert client.put(path, headers=bearer(token(subject=ANNA))).status_code == 404


def test_unknown_address_allows_nothing(start: Start) -> None:
    """A 404 is about a user, and says nothing about a permission."""
    client = beside(start, httpx.Response(404, html="<!DOCTYPE html>"))

    assert client.put(PROJECT, headers=bearer("opaque")).status_code == 503


def test_limit_is_passed_on(start: Start) -> None:
    client = beside(start, httpx.Response(429, headers={"Retry-After": "9"}))
    responses = [client.get(PROFILE, headers=bearer("x")), client.put(PROJECT, headers=bearer("x"))]

    assert [response.headers["retry-after"] for response in responses] == ["9", "9"]


def test_denial_is_logged(
    start: Start, token: IssueToken, capsys: pytest.CaptureFixture[str]
) -> None:
    start().put(PROJECT, headers=bearer(token(subject=BERT)))

    assert "request refused status=403 reason=permission" in capsys.readouterr().err


@pytest.mark.parametrize("project_id", ["a b", "..%2e", "%C3%BC", "*"])
def test_other_project_is_denied(
    client: TestClient, provider: Provider, token: IssueToken, project_id: str
) -> None:
    provider.permissions.add(("projects", "apollo", "editor", f"identities:{BERT}"))
    response = client.put(f"/api/projects/{project_id}", headers=bearer(token(subject=BERT)))

    assert outcome(response) == DENIED


def test_missing_scope_of_ours_is_logged(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """With the id of the request, and without what else the platform wrote."""
    body = {"code": "AVNOLOGY_AUTH_100", "message": "s3cret", "request_id": "req_7"}
    beside(start, httpx.Response(403, json=body)).put(PROJECT, headers=bearer("opaque"))
    written = capsys.readouterr().err

    marks = "code=AVNOLOGY_AUTH_100 status=403 request_id=req_7"
    assert f"identity provider refuses this service {marks}" in written
    assert "request refused status=503 reason=own_credentials" in written
    assert "s3cret" not in written
