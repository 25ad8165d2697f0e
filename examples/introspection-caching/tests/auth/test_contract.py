"""What a caller sees in each situation: status, challenge and detail."""

from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.about import REALM
from dev.provider import Provider
from tests.callers import NOW, Clock, bearer
from tests.conftest import IssueToken, Start

Refusal = tuple[int, str | None, str]


def challenge(rest: str = "") -> str:
    return f'Bearer realm="{REALM}"{rest}'


NOT_AUTHENTICATED = (401, challenge(), "Not authenticated")
INVALID_REQUEST = (400, challenge(', error="invalid_request"'), "Invalid request")
INVALID_TOKEN = (401, challenge(', error="invalid_token"'), "Invalid or expired token")
SCOPE_MISSING = (
    403,
    challenge(', error="insufficient_scope", scope="run:jobs read:jobs"'),
    "insufficient_scope",
)
USERS_ONLY = (403, None, "User token required")
MACHINES_ONLY = (403, None, "Machine token required")
UNAVAILABLE = (503, None, "Identity provider unavailable")


def refusal(response: Response) -> Refusal:
    return (
        response.status_code,
        response.headers.get("www-authenticate"),
        response.json()["detail"],
    )


# GOOD stands for a good token.
HEADERS: dict[str, tuple[list[str], str, Refusal]] = {
    "no header": ([], "", NOT_AUTHENTICATED),
    "empty header": ([""], "", NOT_AUTHENTICATED),
    "another scheme": (["Basic YTpi"], "", NOT_AUTHENTICATED),
    "a longer scheme": (["Bearerx GOOD"], "", NOT_AUTHENTICATED),
    "no token": (["Bearer  "], "", NOT_AUTHENTICATED),
    "token in the query": ([], "?access_token=GOOD", NOT_AUTHENTICATED),
    "two headers": (["Bearer GOOD", "Bearer GOOD"], "", INVALID_REQUEST),
    "header and query": (["Bearer GOOD"], "?access_token=GOOD", INVALID_REQUEST),
    "header and an empty token in the query": (
        ["Bearer GOOD"],
        "?access%5Ftoken=",
        INVALID_REQUEST,
    ),
    "two words": (["Bearer GOOD GOOD"], "", INVALID_TOKEN),
    "two tokens": (["Bearer GOOD, Bearer GOOD"], "", INVALID_TOKEN),
    "a tab after the scheme": (["Bearer\tGOOD"], "", INVALID_TOKEN),
    "a comma after the scheme": (["Bearer,GOOD"], "", INVALID_TOKEN),
    "not ASCII": (["Bearer schlüssel"], "", INVALID_TOKEN),
    "equals signs only": (["Bearer =="], "", INVALID_TOKEN),
    "more than 8 KiB": (["Bearer " + "a" * 8193], "", INVALID_TOKEN),
}


@pytest.mark.parametrize(("values", "query", "expected"), HEADERS.values(), ids=HEADERS)
def test_wrong_header(
    client: TestClient,
    provider: Provider,
    token: IssueToken,
    values: list[str],
    query: str,
    expected: Refusal,
) -> None:
    """It is refused without a call."""
    good, before = token(), provider.calls
    headers = [(b"Authorization", each.replace("GOOD", good).encode()) for each in values]
    response = client.get(f"/probe{query.replace('GOOD', good)}", headers=headers)

    assert refusal(response) == expected
    assert provider.calls == before


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_scheme_in_any_case(client: TestClient, token: IssueToken, scheme: str) -> None:
    """One blank or more follow it (RFC 9110, section 11.1)."""
    response = client.get("/probe", headers={"Authorization": f"{scheme} {token()}"})

    assert response.status_code == 200


INVALID: dict[str, dict[str, Any] | None] = {
    "unknown": None,
    "expired": {"lifetime": -60},
    "not valid yet": {"nbf": NOW + 60},
    "issued in the future": {"iat": NOW + 60},
    "of another issuer": {"iss": "https://issuer.example"},
    "for another service": {"aud": ["https://billing.example"]},
    "for another use": {"token_use": "refresh_token"},
    "bound to a key": {"cnf": ["a key"]},
}


@pytest.mark.parametrize("claims", INVALID.values(), ids=INVALID)
def test_invalid_token(
    client: TestClient, token: IssueToken, claims: dict[str, Any] | None
) -> None:
    """The caller does not see which rule failed."""
    invalid = "a" * 94 if claims is None else token(**claims)

    assert refusal(client.get("/probe", headers=bearer(invalid))) == INVALID_TOKEN


AUDIENCES: dict[str, tuple[dict[str, str], int]] = {
    "no client of the list": ({"AUDIENCE": "", "ALLOWED_CLIENT_IDS": "batch, web"}, 401),
    "a client of the list": ({"AUDIENCE": "", "ALLOWED_CLIENT_IDS": "batch, writer"}, 200),
    "audience and list": ({"ALLOWED_CLIENT_IDS": "writer"}, 401),
    "any audience": ({"AUDIENCE": "", "ACCEPT_ANY_AUDIENCE": "true"}, 200),
}


@pytest.mark.parametrize(("variables", "status"), AUDIENCES.values(), ids=AUDIENCES)
def test_token_without_audience(
    start: Start, token: IssueToken, variables: dict[str, str], status: int
) -> None:
    response = start(None, None, **variables).get("/probe", headers=bearer(token(aud=[])))

    assert response.status_code == status


CALLERS: dict[str, tuple[str, str | None, str, Refusal | None]] = {
    "user": ("users", "anna", "", None),
    "machine": ("machines", None, "read:jobs run:jobs", None),
    "machine where a user is needed": ("users", None, "", USERS_ONLY),
    "user where a machine is needed": ("machines", "anna", "read:jobs run:jobs", MACHINES_ONLY),
    "no scope": ("machines", None, "", SCOPE_MISSING),
    "one scope of two": ("machines", None, "run:jobs", SCOPE_MISSING),
    "longer and shorter scopes": ("machines", None, "run:jobs2 read:jobs2 read", SCOPE_MISSING),
}


@pytest.mark.parametrize(("path", "subject", "scopes", "expected"), CALLERS.values(), ids=CALLERS)
def test_caller(
    client: TestClient,
    token: IssueToken,
    path: str,
    subject: str | None,
    scopes: str,
    expected: Refusal | None,
) -> None:
    """Scopes are compared as text, in any order."""
    response = client.get(f"/probe/{path}", headers=bearer(token(scopes.split(), subject)))

    assert (None if response.is_success else refusal(response)) == expected


def test_provider_is_down(
    start: Start, provider: Provider, token: IssueToken, clock: Clock
) -> None:
    """A 401 would make clients discard good tokens. The service recovers without a restart."""
    good = bearer(token())
    provider.outage = True
    client = start()
    during = client.get("/probe", headers=good)
    provider.outage = False
    clock.now += 60

    assert refusal(during) == UNAVAILABLE
    assert 1 <= int(during.headers["retry-after"]) <= 3600
    assert client.get("/probe", headers=good).status_code == 200


def test_provider_is_slow(start: Start, provider: Provider, token: IssueToken) -> None:
    provider.delay = 0.5
    response = start(IDP_TIMEOUT="0.05").get("/probe", headers=bearer(token()))

    assert refusal(response) == UNAVAILABLE
