"""The local provider answers as the documentation of Avnology ID says."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from dev.directory import ANNA, API_KEY, BERT
from dev.provider import ABSENT, Provider
from dev.sign_in import main as sign_in
from tests.callers import Clock

SERVICE = {"client_id": "service", "client_secret": "service-secret"}
WRITER = {"client_id": "writer", "client_secret": "writer-secret"}
READER = {"client_id": "reader", "client_secret": "reader-secret"}
QUESTION = {
    "namespace": "projects",
    "object": "apollo",
    "relation": "editor",
    "subject": f"identities:{ANNA}",
}


def call(listener: Starlette, method: str, path: str, **options: Any) -> httpx.Response:
    """Make one call at a listener of the provider."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(listener)
        async with httpx.AsyncClient(transport=transport, base_url="http://provider") as client:
            return await client.request(method, path, **options)

    return asyncio.run(send())


def ask(provider: Provider, token: str, asker: dict[str, str] = SERVICE) -> dict[str, Any]:
    """Return what `provider` says about `token`."""
    response = call(provider.public, "POST", "/oauth2/introspect", data={"token": token, **asker})
    answer: dict[str, Any] = response.json()
    return answer


def fetch(provider: Provider, **form: str) -> httpx.Response:
    """Ask for a token as the client `writer`."""
    fields = {"grant_type": "client_credentials", **WRITER, **form}
    return call(provider.public, "POST", "/oauth2/token", data=fields)


def test_a_machine_gets_a_token(provider: Provider) -> None:
    """The credentials are in the form, and so is everything else."""
    answer = fetch(provider, scope="read:widgets", audience="https://widgets.example").json()
    token = answer.pop("access_token")

    assert answer == {"token_type": "Bearer", "expires_in": 3600, "scope": "read:widgets"}
    assert ask(provider, token)["sub"] == "writer"
    assert ask(provider, token)["aud"] == ["https://widgets.example"]


def test_a_user_gets_a_token(provider: Provider) -> None:
    """The sign-in page is left out: the code is the user."""
    answer = fetch(provider, grant_type="authorization_code", code=ANNA).json()

    assert ask(provider, answer["access_token"])["sub"] == ANNA


REFUSED_GRANTS = {
    "unknown-client": ({"client_id": "nobody"}, 401, "invalid_client"),
    "wrong-secret": ({"client_secret": "wrong"}, 401, "invalid_client"),
    "foreign-scope": ({"scope": "admin:users:read"}, 400, "invalid_scope"),
    "foreign-audience": ({"audience": "https://billing.example"}, 400, "invalid_request"),
    "unknown-grant": ({"grant_type": "password"}, 400, "unauthorized_client"),
    "no-code": ({"grant_type": "authorization_code"}, 400, "invalid_grant"),
}


@pytest.mark.parametrize(("form", "status", "error"), REFUSED_GRANTS.values(), ids=REFUSED_GRANTS)
def test_a_wrong_request_gets_no_token(
    provider: Provider, form: dict[str, str], status: int, error: str
) -> None:
    answer = fetch(provider, **form)

    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_an_active_token_is_described(provider: Provider, clock: Clock) -> None:
    """With the fields of the documented sample and types."""
    answer = ask(provider, provider.issue(subject=ANNA, lifetime=60))

    assert answer == {
        "active": True,
        "sub": ANNA,
        "client_id": "writer",
        "scope": "read:widgets write:widgets",
        "iss": "http://localhost:3102",
        "aud": ["https://widgets.example"],
        "exp": clock.now + 60,
        "iat": clock.now,
        "token_type": "Bearer",
        "org_id": "org_7a2b3c4d",
        "org_name": "Acme Corp",
    }


def test_of_an_inactive_token_nothing_is_said(provider: Provider, clock: Clock) -> None:
    """Unknown, revoked or expired: the answer is the same."""
    revoked, expired = provider.issue(), provider.issue(lifetime=60)
    provider.revoke(revoked)
    clock.now += 60

    assert [ask(provider, token) for token in ("unknown", revoked, expired)] == [
        {"active": False}
    ] * 3


def test_a_client_sees_its_own_tokens_only(provider: Provider) -> None:
    """Unless an operator lets it ask about all, as the service."""
    token = provider.issue(client_id="writer")

    seen = [ask(provider, token, asker)["active"] for asker in (WRITER, READER, SERVICE)]

    assert seen == [True, False, True]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"token": "x", "client_id": "service"}, 401),
        ({"token": "x", **WRITER, "client_secret": "wrong"}, 401),
        (SERVICE, 400),
        ({}, 400),
    ],
)
def test_nobody_asks_without_credentials(
    provider: Provider, form: dict[str, str], status: int
) -> None:
    answer = call(provider.public, "POST", "/oauth2/introspect", data=form)

    assert answer.status_code == status


def test_claims_replace_add_and_take_away(provider: Provider) -> None:
    """A test can make the provider say anything."""
    answer = ask(provider, provider.issue(active="yes", tenant=7, sub=ABSENT))

    assert (answer["active"], answer["tenant"]) == ("yes", 7)
    assert "sub" not in answer


def test_only_the_owner_ends_a_token(provider: Provider) -> None:
    """The answer to another client looks the same, and nothing has happened."""
    token = provider.issue(client_id="writer")

    for client, active in (READER, True), (WRITER, False):
        answer = call(provider.public, "POST", "/oauth2/revoke", data={"token": token, **client})

        assert (answer.status_code, answer.content) == (200, b"")
        assert ask(provider, token)["active"] is active


def test_tokens_die_with_their_client(provider: Provider) -> None:
    """Deleting a client is how an operator locks it out at once."""
    token = provider.issue(client_id="writer")
    other = provider.issue(client_id="reader")

    deleted = call(provider.admin, "DELETE", "/clients/writer")
    again = call(provider.admin, "DELETE", "/clients/writer")

    assert (deleted.status_code, again.status_code) == (204, 404)
    assert ask(provider, token) == {"active": False}
    assert ask(provider, other)["active"] is True


@pytest.mark.parametrize(
    ("registration", "status"),
    [('{"client_id": "reader"}', 409), ('{"lifetime": "soon"}', 400), ("no document", 400)],
)
def test_a_client_that_cannot_be_is_refused(
    provider: Provider, registration: str, status: int
) -> None:
    """A name is given once, and a registration has a shape."""
    answer = call(provider.admin, "POST", "/clients", content=registration)

    assert answer.status_code == status


def authorized(provider: Provider, *scopes: str) -> dict[str, str]:
    """Return the headers of a call with a token that has `scopes`."""
    return {"Authorization": f"Bearer {provider.issue(client_id='service', scopes=scopes)}"}


def test_a_user_is_shown(provider: Provider) -> None:
    """To a token with the scope for it, or to the API key."""
    headers = authorized(provider, "admin:users:read")
    path = f"/v1/identities/{ANNA}"

    answer = call(provider.public, "GET", path, headers=headers)
    by_key = call(provider.public, "GET", path, headers={"Authorization": f"Bearer {API_KEY}"})

    assert answer.json()["email"] == "anna@example.org"
    assert answer.json() == by_key.json()


def test_an_unknown_user_is_not_found(provider: Provider) -> None:
    headers = authorized(provider, "admin:users:read")

    answer = call(provider.public, "GET", "/v1/identities/usr_nobody", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (404, "AVNOLOGY_AUTH_901")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({}, True),
        ({"relation": "viewer"}, False),
        ({"object": "gemini"}, False),
        ({"subject": f"identities:{BERT}"}, False),
        ({"namespace": "project"}, False),
    ],
)
def test_a_permission_is_a_row_of_the_table(
    provider: Provider, change: dict[str, str], allowed: bool
) -> None:
    """No permission is an answer, and no error."""
    headers = authorized(provider, "admin:permissions:read")

    answer = call(
        provider.public,
        "POST",
        "/v1/permissions:check",
        headers=headers,
        json={**QUESTION, **change},
    )

    assert (answer.status_code, answer.json()) == (200, {"allowed": allowed})


@pytest.mark.parametrize("body", [{}, [], {**QUESTION, "object": ""}, {**QUESTION, "subject": 7}])
def test_a_question_has_four_parts(provider: Provider, body: object) -> None:
    headers = authorized(provider, "admin:permissions:read")

    answer = call(provider.public, "POST", "/v1/permissions:check", headers=headers, json=body)

    assert (answer.status_code, answer.json()["code"]) == (400, "AVNOLOGY_AUTH_902")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("", 401), ("Bearer unknown", 401), ("Basic YTpi", 401), ("token", 403)],
)
def test_not_everybody_may_look(provider: Provider, authorization: str, status: int) -> None:
    """Every token is good for something, and none for everything."""
    headers = {"Authorization": authorization}
    if authorization == "token":
        headers = authorized(provider, "read:widgets")

    for method, path in ("GET", f"/v1/identities/{ANNA}"), ("POST", "/v1/permissions:check"):
        answer = call(provider.public, method, path, headers=headers)

        assert answer.status_code == status


def test_an_outage_ends_as_it_began(provider: Provider) -> None:
    """Questions are counted while nobody answers them."""
    token = provider.issue()
    form = {"token": token, **SERVICE}

    provider.outage = True
    during = call(provider.public, "POST", "/oauth2/introspect", data=form)
    provider.outage = False

    assert during.status_code == 503
    assert ask(provider, token)["active"] is True
    assert provider.calls == 2


def test_a_limit_says_how_long_to_wait(provider: Provider) -> None:
    provider.wait = 7

    answer = call(provider.public, "POST", "/oauth2/introspect")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_nobody_signs_in_where_there_is_no_provider(capsys: pytest.CaptureFixture[str]) -> None:
    """The command says so, and prints no token."""
    code = sign_in(["--public-port", "1"])
    printed, said = capsys.readouterr()

    assert (code, printed) == (1, "")
    assert said.startswith("No answer at http://127.0.0.1:1 ")
