"""What a caller sees, row by row: status, challenge and detail."""

from typing import Annotated

import pytest
from fastapi import FastAPI, Security
from httpx2 import Response
from starlette.testclient import TestClient

from app.about import REALM
from app.auth import Principal, machine_bearer, user_bearer
from dev.provider import Provider
from tests.callers import NOW, Clock, bearer
from tests.conftest import IssueToken, Start

WRITE = ("read:widgets", "write:widgets")


def refused(response: Response) -> tuple[int, str | None, str]:
    """Return the three things by which refusals differ."""
    return (
        response.status_code,
        response.headers.get("www-authenticate"),
        response.json()["detail"],
    )


def challenge(rest: str = "") -> str:
    return f'Bearer realm="{REALM}"{rest}'


NOT_AUTHENTICATED = (401, challenge(), "Not authenticated")
INVALID_REQUEST = (400, challenge(', error="invalid_request"'), "Invalid request")
INVALID_TOKEN = (401, challenge(', error="invalid_token"'), "Invalid or expired token")
INSUFFICIENT_SCOPE = (
    403,
    challenge(', error="insufficient_scope", scope="write:widgets"'),
    "insufficient_scope",
)
UNAVAILABLE = (503, None, "Identity provider unavailable")


def test_any_valid_token_reads(client: TestClient, token: IssueToken) -> None:
    response = client.get("/widgets", headers=bearer(token(subject="anna")))

    assert response.status_code == 200
    assert response.json() == {"widgets": [], "user": "anna"}


def test_a_writer_creates_lists_and_deletes(client: TestClient, token: IssueToken) -> None:
    writer = bearer(token(scopes=WRITE))

    created = client.post("/widgets", headers=writer, json={"name": "lever"})
    listed = client.get("/widgets", headers=writer)
    deleted = client.delete(f"/widgets/{created.json()['id']}", headers=writer)
    again = client.delete(f"/widgets/{created.json()['id']}", headers=writer)

    assert created.status_code == 201
    assert created.json() == {"id": created.json()["id"], "name": "lever"}
    assert listed.json()["widgets"] == [created.json()]
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert again.status_code == 404


NO_TOKEN = {
    "H1-no-header": {},
    "H2-basic": {"Authorization": "Basic YTpi"},
    "H2-unknown-scheme": {"Authorization": "Negotiate abc"},
    "H2-longer-scheme": {"Authorization": "Bearerx abc"},
    "H3-scheme-alone": {"Authorization": "Bearer"},
    "H3-blanks-after-the-scheme": {"Authorization": "Bearer   "},
    "empty": {"Authorization": ""},
}


@pytest.mark.parametrize("headers", NO_TOKEN.values(), ids=NO_TOKEN)
def test_a_request_without_a_token_gets_a_bare_challenge(
    client: TestClient, headers: dict[str, str]
) -> None:
    """A challenge without an error code: nothing was wrong, something is missing."""
    assert refused(client.get("/widgets", headers=headers)) == NOT_AUTHENTICATED


def test_a_token_in_the_query_is_no_token(client: TestClient, token: IssueToken) -> None:
    """H7: addresses end up in logs, so a token there never counts."""
    assert refused(client.get(f"/widgets?access_token={token()}")) == NOT_AUTHENTICATED


@pytest.mark.parametrize("name", ["access_token", "access%5Ftoken"])
def test_a_token_in_header_and_query_is_an_invalid_request(
    client: TestClient, token: IssueToken, name: str
) -> None:
    response = client.get(f"/widgets?{name}=x", headers=bearer(token()))

    assert refused(response) == INVALID_REQUEST


def test_an_empty_token_in_the_query_is_an_invalid_request_too(
    client: TestClient, token: IssueToken
) -> None:
    response = client.get("/widgets?access_token=", headers=bearer(token()))

    assert refused(response) == INVALID_REQUEST


def test_two_headers_are_an_invalid_request(client: TestClient, token: IssueToken) -> None:
    """H5: two readers of one request must not see two callers."""
    header = ("Authorization", f"Bearer {token()}")

    assert refused(client.get("/widgets", headers=[header, header])) == INVALID_REQUEST


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_is_read_in_any_case(client: TestClient, token: IssueToken, scheme: str) -> None:
    """H8: the name of a scheme has no case, and one blank or more follow it."""
    response = client.get("/widgets", headers={"Authorization": f"{scheme} {token()}"})

    assert response.status_code == 200


MALFORMED = {
    "H4-two-words": b"Bearer a b",
    "H4-tab": b"Bearer\tabc",
    "H4-tab-inside": b"Bearer a\tb",
    "H4-nul": b"Bearer a\x00b",
    "H4-not-ascii": "Bearer schlüssel".encode(),
    "H4-comma": b"Bearer a, Bearer b",
    "H4-quotes": b'Bearer "abc"',
    "H4-equals-inside": b"Bearer a=b",
    "H4-equals-alone": b"Bearer ==",
    "H4-no-blank": b"Bearer,abc",
    "H4-slash-for-a-blank": b"Bearer/abc",
    "H9-just-too-long": b"Bearer " + b"a" * 8193,
    "H9-a-megabyte": b"Bearer " + b"a" * 1_000_000,
}


@pytest.mark.parametrize("header", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_token_is_refused_before_anyone_is_asked(
    client: TestClient, provider: Provider, header: bytes
) -> None:
    before = provider.calls
    response = client.get("/widgets", headers=[(b"Authorization", header)])

    assert refused(response) == INVALID_TOKEN
    assert provider.calls == before


def test_an_unknown_token_is_refused(client: TestClient) -> None:
    assert refused(client.get("/widgets", headers=bearer("a" * 94))) == INVALID_TOKEN


def test_an_expired_token_is_refused(client: TestClient, clock: Clock, token: IssueToken) -> None:
    expiring = token()
    clock.now = NOW + 3600 + 60

    assert refused(client.get("/widgets", headers=bearer(expiring))) == INVALID_TOKEN


@pytest.mark.parametrize("scopes", [(), ("read:widgets",), ("write:widgets2", "write")])
def test_a_missing_scope_is_refused(
    client: TestClient, token: IssueToken, scopes: tuple[str, ...]
) -> None:
    """C9: scopes are compared as a whole; a longer or a shorter one is another one."""
    response = client.post("/widgets", headers=bearer(token(scopes=scopes)), json={"name": "lever"})

    assert refused(response) == INSUFFICIENT_SCOPE


def test_a_missing_scope_is_refused_before_the_id_is_looked_up(
    client: TestClient, token: IssueToken
) -> None:
    response = client.delete("/widgets/unknown", headers=bearer(token()))

    assert refused(response) == INSUFFICIENT_SCOPE


@pytest.mark.parametrize("widget_id", ["0", "a b", "%00", "..%2F..", "%F0%9F%94%91", "x" * 4000])
def test_an_unknown_id_of_any_form_is_not_found(
    client: TestClient, token: IssueToken, widget_id: str
) -> None:
    response = client.delete(f"/widgets/{widget_id}", headers=bearer(token(scopes=WRITE)))

    assert response.status_code == 404


def test_a_provider_that_is_down_is_not_the_callers_fault(
    start: Start, provider: Provider, token: IssueToken
) -> None:
    """I6: on a 401 clients throw good tokens away, so an outage is a 503."""
    provider.outage = True
    response = start().get("/widgets", headers=bearer(token()))

    assert refused(response) == UNAVAILABLE
    assert 1 <= int(response.headers["retry-after"]) <= 3600


def test_a_slow_provider_is_given_up_after_the_time_limit(
    start: Start, provider: Provider, token: IssueToken
) -> None:
    """I6: the answer would come, but later than `IDP_TIMEOUT` says."""
    provider.delay = 0.5
    client = start(IDP_TIMEOUT="0.05")

    assert refused(client.get("/widgets", headers=bearer(token()))) == UNAVAILABLE


def test_the_provider_comes_back(
    start: Start, provider: Provider, token: IssueToken, clock: Clock
) -> None:
    """The service starts without its provider, and recovers without a restart."""
    provider.outage = True
    client = start()
    during = client.get("/widgets", headers=bearer(token()))
    provider.outage = False
    clock.now += 60

    assert during.status_code == 503
    assert client.get("/widgets", headers=bearer(token())).status_code == 200


@pytest.fixture
def restricted(start: Start) -> TestClient:
    """Start a service with one route for users and one for machines."""

    def add_routes(app: FastAPI) -> None:
        @app.get("/mine")
        async def mine(caller: Annotated[Principal, Security(user_bearer)]) -> str:
            return caller.subject

        @app.get("/jobs")
        async def jobs(
            caller: Annotated[Principal, Security(machine_bearer, scopes=["run:jobs"])],
        ) -> str | None:
            return caller.client_id

    return start(prepare=add_routes)


def test_a_user_route_takes_users_only(restricted: TestClient, token: IssueToken) -> None:
    user = restricted.get("/mine", headers=bearer(token(subject="anna")))
    machine = restricted.get("/mine", headers=bearer(token()))

    assert (user.status_code, user.json()) == (200, "anna")
    assert refused(machine) == (403, None, "User token required")


def test_a_machine_route_takes_machines_only(restricted: TestClient, token: IssueToken) -> None:
    machine = restricted.get("/jobs", headers=bearer(token(scopes=("run:jobs",))))
    user = restricted.get("/jobs", headers=bearer(token(scopes=("run:jobs",), subject="anna")))

    assert (machine.status_code, machine.json()) == (200, "writer")
    assert refused(user) == (403, None, "Machine token required")


def test_a_route_with_two_scopes_needs_both(start: Start, token: IssueToken) -> None:
    """The challenge names both, and one of them is not enough."""

    def add_route(app: FastAPI) -> None:
        @app.get("/report")
        async def report(
            caller: Annotated[Principal, Security(user_bearer, scopes=["read:a", "read:b"])],
        ) -> str:
            return caller.subject

    client = start(prepare=add_route)
    both, one = (
        client.get("/report", headers=bearer(token(scopes=scopes, subject="anna")))
        for scopes in [("read:b", "read:a"), ("read:b",)]
    )

    assert both.status_code == 200
    assert refused(one) == (
        403,
        challenge(', error="insufficient_scope", scope="read:a read:b"'),
        "insufficient_scope",
    )


def test_other_services_tokens_are_refused(client: TestClient, token: IssueToken) -> None:
    foreign = token(aud=["https://billing.example"])

    assert refused(client.get("/widgets", headers=bearer(foreign))) == INVALID_TOKEN


def test_other_clients_tokens_are_refused(start: Start, token: IssueToken) -> None:
    client = start(ALLOWED_CLIENT_IDS="batch, web")

    assert refused(client.get("/widgets", headers=bearer(token()))) == INVALID_TOKEN


def test_a_client_on_the_list_needs_no_audience(start: Start, token: IssueToken) -> None:
    """Tokens of stock clients have no audience; then the list of clients decides."""
    client = start(AUDIENCE="", ALLOWED_CLIENT_IDS="batch, writer")

    assert client.get("/widgets", headers=bearer(token(aud=[]))).status_code == 200


def test_any_audience_is_accepted_only_on_demand(start: Start, token: IssueToken) -> None:
    client = start(AUDIENCE="", ACCEPT_ANY_AUDIENCE="true")

    assert client.get("/widgets", headers=bearer(token(aud=[]))).status_code == 200


def test_a_slash_at_the_end_is_another_path(client: TestClient) -> None:
    """There is no redirect, whose target would be what the `Host` header says."""
    response = client.get("/widgets/", follow_redirects=False)

    assert response.status_code == 404
