"""The local provider answers as a real Hydra did: `fixtures/hydra.json` holds what one said."""

import asyncio
import json
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from dev.provider import ABSENT, Provider
from tests.callers import Clock

RECORDING: dict[str, Any] = json.loads(
    Path(__file__).with_name("fixtures").joinpath("hydra.json").read_text(encoding="utf-8")
)
EXCHANGES: dict[str, dict[str, Any]] = {
    exchange["name"]: exchange for exchange in RECORDING["exchanges"]
}
HEADERS = (
    "allow",
    "cache-control",
    "content-type",
    "location",
    "pragma",
    "www-authenticate",
    "x-content-type-options",
)
BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
WAITS = {"introspect-expired": 2.0}
"""Seconds that passed before an exchange."""
USER_TOKENS = {"introspect-user-ext": 3601, "introspect-refresh-token": 2_592_001}
"""Exchanges about a token that a person got in a browser, and the seconds it lives."""


class Replay:
    """Makes the recorded calls at a fresh provider, with its own tokens in place of the old."""

    def __init__(self) -> None:
        self._clock = Clock()
        self._provider = Provider(issuer=RECORDING["issuer"], clock=self._clock)
        self._fresh: dict[str, str] = {}

    async def run(self) -> dict[str, httpx.Response]:
        """Return the answers by the names of the exchanges."""
        self._issue_user_tokens()
        async with caller(self._provider.public) as public, caller(self._provider.admin) as admin:
            # The recording registers a client of that name itself.
            await admin.delete("/admin/clients/reader")
            listeners = {"{public}": public, "{admin}": admin}
            return {
                name: await self._call(exchange, listeners) for name, exchange in EXCHANGES.items()
            }

    async def _call(
        self, exchange: dict[str, Any], listeners: Mapping[str, httpx.AsyncClient]
    ) -> httpx.Response:
        self._clock.now += WAITS.get(exchange["name"], 0)
        request = exchange["request"]
        listener, _, path = request["path"].partition("/")
        response = await listeners[listener].request(
            request["method"],
            self._translate("/" + path),
            headers=request["headers"],
            content=self._translate(request["body"]),
        )
        recorded = exchange["response"]["body"]
        if "access_token" in recorded and response.status_code == 200:
            self._learn(recorded["access_token"], response.json()["access_token"])
        return response

    def _issue_user_tokens(self) -> None:
        for name, lifetime in USER_TOKENS.items():
            exchange = EXCHANGES[name]
            answer = exchange["response"]["body"]
            self._fresh[exchange["request"]["body"].removeprefix("token=")] = self._provider.issue(
                client_id=answer["client_id"],
                subject=answer["sub"],
                scopes=answer["scope"].split(),
                lifetime=lifetime,
                token_use=answer["token_use"],
                ext=answer["ext"],
            )

    def _learn(self, recorded: str, fresh: str) -> None:
        for old, new in zip(token_parts(recorded), token_parts(fresh), strict=True):
            self._fresh |= {old: new, respelled(old): respelled(new)}

    def _translate(self, text: str) -> str:
        for old, new in self._fresh.items():
            text = text.replace(old, new)
        return text


def caller(listener: Starlette) -> httpx.AsyncClient:
    """Return a client that calls `listener` in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(listener), base_url="http://provider")


def token_parts(token: str) -> list[str]:
    """Return the random part and the signature of an opaque token."""
    return token.removeprefix("ory_at_").split(".")


def respelled(part: str) -> str:
    """Return `part` with its last character in another spelling of the same bits."""
    return part[:-1] + BASE64[BASE64.index(part[-1]) + 1]


def comparable(status: int, headers: Mapping[str, str], body: object) -> dict[str, object]:
    """Return what must be equal: all of an answer but the time and the characters of a token.

    The body is text, as the order of its fields counts.
    """
    if isinstance(body, dict):
        body = json.dumps({name: _comparable(name, body) for name in body}, indent=1)
    elif isinstance(body, str) and body.startswith("<!DOCTYPE html>"):
        body = "a page"
    return {"status": status, **{name: headers.get(name) for name in HEADERS}, "body": body}


def _comparable(name: str, body: Mapping[str, Any]) -> object:
    if name in ("exp", "nbf"):
        return f"iat + {body[name] - body['iat']}"
    if name == "iat":
        return type(body[name]).__name__
    if name == "access_token":
        return [body[name][:7], *map(len, token_parts(body[name]))]
    return body[name]


@pytest.fixture(scope="module")
def answers() -> dict[str, httpx.Response]:
    """Return what the local provider says to the recorded calls, made in their order."""
    return asyncio.run(Replay().run())


@pytest.mark.parametrize("name", EXCHANGES)
def test_the_answer_is_hydras(answers: dict[str, httpx.Response], name: str) -> None:
    """Status, headers, fields, their order and values are those of the recording."""
    answer = answers[name]
    recorded = EXCHANGES[name]["response"]
    is_json = "application/json" in answer.headers.get("content-type", "")
    body = answer.json() if is_json else answer.text

    seen = comparable(answer.status_code, answer.headers, body)

    assert seen == comparable(recorded["status"], recorded["headers"], recorded["body"])


def ask(provider: Provider, token: str) -> dict[str, Any]:
    """Return what `provider` says about `token`."""
    response = call(provider.admin, "POST", "/admin/oauth2/introspect", data={"token": token})
    answer: dict[str, Any] = response.json()
    return answer


def call(listener: Starlette, method: str, url: str, **options: Any) -> httpx.Response:
    """Make one call at a listener of the provider."""

    async def send() -> httpx.Response:
        async with caller(listener) as client:
            return await client.request(method, url, **options)

    return asyncio.run(send())


def test_an_issued_token_is_a_machines(provider: Provider, clock: Clock) -> None:
    """Without a subject the client speaks for itself."""
    answer = ask(provider, provider.issue(client_id="batch", lifetime=60))

    assert (answer["client_id"], answer["sub"]) == ("batch", "batch")
    assert (answer["iat"], answer["exp"]) == (clock.now, clock.now + 60)


def test_claims_replace_add_and_take_away(provider: Provider) -> None:
    """A test can make the provider say anything."""
    answer = ask(provider, provider.issue(active="yes", tenant=7, sub=ABSENT))

    assert (answer["active"], answer["tenant"]) == ("yes", 7)
    assert "sub" not in answer


def test_a_revoked_token_is_inactive(provider: Provider) -> None:
    """Other tokens of the client live on."""
    revoked, other = provider.issue(), provider.issue()

    provider.revoke(revoked)

    assert ask(provider, revoked) == {"active": False}
    assert ask(provider, other)["active"] is True


def test_only_the_owner_ends_a_token(provider: Provider) -> None:
    """The answer to another client looks the same, and nothing has happened."""
    token = provider.issue(client_id="writer")

    for client, active in ("reader", True), ("writer", False):
        auth = (client, f"{client}-secret")
        answer = call(provider.public, "POST", "/oauth2/revoke", auth=auth, data={"token": token})

        assert answer.status_code == 200
        assert ask(provider, token)["active"] is active


def test_tokens_die_with_their_client(provider: Provider) -> None:
    """Deleting a client is how an operator locks it out at once."""
    token = provider.issue(client_id="writer")
    other = provider.issue(client_id="reader")

    deleted = call(provider.admin, "DELETE", "/admin/clients/writer")
    again = call(provider.admin, "DELETE", "/admin/clients/writer")

    assert (deleted.status_code, again.status_code) == (204, 404)
    assert ask(provider, token) == {"active": False}
    assert ask(provider, other)["active"] is True


@pytest.mark.parametrize(
    ("registration", "status"),
    [
        ('{"client_id": "reader"}', 409),
        ('{"client_credentials_grant_access_token_lifespan": "soon"}', 400),
        ("no document", 400),
    ],
)
def test_a_client_that_cannot_be_is_refused(
    provider: Provider, registration: str, status: int
) -> None:
    """A name is given once, and a registration has a shape."""
    answer = call(provider.admin, "POST", "/admin/clients", content=registration)

    assert answer.status_code == status


def test_an_outage_ends_as_it_began(provider: Provider) -> None:
    """Questions are counted while nobody answers them."""
    token = provider.issue()

    provider.outage = True
    during = call(provider.admin, "POST", "/admin/oauth2/introspect", data={"token": token})
    provider.outage = False

    assert during.status_code == 503
    assert ask(provider, token)["active"] is True
    assert provider.calls == 2
