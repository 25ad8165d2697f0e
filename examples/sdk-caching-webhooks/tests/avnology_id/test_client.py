"""What the client makes of responses: the right error, a result with defaults, and no secret."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

import httpx
import pytest
from avnology_id import AsyncAvnologyId, errors

from tests.callers import NOW, Clock

pytestmark = pytest.mark.anyio

Call = Callable[[AsyncAvnologyId], Awaitable[object]]
CALLS: dict[str, Call] = {
    "introspect": lambda client: client.oauth.introspect_token(token="x"),
    "grant": lambda client: client.oauth.client_credentials(),
    "user": lambda client: client.admin.get_user(user_id="usr_1"),
    "check": lambda client: client.permissions.check(
        subject="user:a", relation="editor", object="project:b"
    ),
}


def connect(
    respond: Callable[[httpx.Request], httpx.Response] | httpx.AsyncBaseTransport | httpx.Response,
    clock: Clock | None = None,
    timeout: float = 30,
    api_key: str | None = "ak_secret",
) -> AsyncAvnologyId:
    """Return a client of the platform that `respond` stands for."""
    if isinstance(respond, httpx.Response):
        transport: httpx.AsyncBaseTransport = httpx.MockTransport(lambda _: respond)
    elif isinstance(respond, httpx.AsyncBaseTransport):
        transport = respond
    else:
        transport = httpx.MockTransport(respond)
    return AsyncAvnologyId(
        base_url="https://id.example/base/",
        client_id="app_1",
        client_secret="cs_secret",
        api_key=api_key,
        timeout=timeout,
        transport=transport,
        clock=clock or Clock(),
    )


def says(document: object, status: int = 200) -> httpx.Response:
    headers = {"X-Request-Id": "req_1"}
    return httpx.Response(status, content=json.dumps(document), headers=headers)


CODE = {"code": "AVNOLOGY_AUTH_901"}
ERRORS: dict[str, tuple[int, object, type[errors.AvnologyIdError], str]] = {
    "of the platform": (404, CODE, errors.NotFoundError, "AVNOLOGY_AUTH_901"),
    "of OAuth": (401, {"error": "invalid_client"}, errors.OAuthError, "invalid_client"),
    "limit": (429, {"error": "invalid_client"}, errors.RateLimitError, "invalid_client"),
    "failure": (500, {"error": "invalid_client"}, errors.AvnologyIdError, "invalid_client"),
    "no document": (403, [], errors.AvnologyIdError, "status_403"),
    "strange fields": (404, {"code": 7, "error": []}, errors.NotFoundError, "status_404"),
    "created": (201, {"active": True}, errors.AvnologyIdError, "status_201"),
    "a token": (400, {"error": "at_0123abcdEF"}, errors.OAuthError, "status_400"),
}


@pytest.mark.parametrize(("status", "body", "kind", "code"), ERRORS.values(), ids=ERRORS)
async def test_other_status_is_an_error(
    status: int, body: object, kind: type[errors.AvnologyIdError], code: str
) -> None:
    """Its text is code and status. A code of another form is left out, as it may repeat a token."""
    with pytest.raises(errors.AvnologyIdError) as refusal:
        await CALLS["user"](connect(says(body, status)))

    assert (type(refusal.value), refusal.value.request_id) == (kind, "req_1")
    assert str(refusal.value) == f"{code} (status {status})"


MALFORMED = {
    "html": b"<!DOCTYPE html>",
    "list": b"[]",
    "not UTF-8": b'{"active":true,"allowed":true,"access_token":"a","a":"\xff"}',
    "a name twice": b'{"active":false,"active":true,"allowed":false,"allowed":true,"a":1,"a":1}',
    "half a surrogate pair": b'{"active":true,"allowed":true,"access_token":"a","b":"\\ud800"}',
    "text": b'{"active":"true","allowed":"true","email":1}',
    "one": b'{"active":1,"allowed":1,"email":true}',
    "null": b'{"active":null,"allowed":null,"access_token":null,"email":[]}',
    "token of two lines": b'{"allowed":"","active":"","email":1,"access_token":"a\\r\\nX: y"}',
    "token of another type": b'{"email":1,"access_token":"a","token_type":"mac"}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_malformed_response_is_an_error(call: Call, body: bytes) -> None:
    """Never a yes, and never a half of a user. The exception of the parser is not kept."""
    with pytest.raises(errors.AvnologyIdError) as refusal:
        await call(connect(httpx.Response(200, content=body)))

    assert str(refusal.value) == "malformed_answer (status 200)"
    assert (refusal.value.__cause__, refusal.value.__context__) == (None, None)


@pytest.mark.parametrize("document", [{"active": True, "scope": None}, {"active": False, "sub": 7}])
async def test_introspection_has_defaults(document: dict[str, object]) -> None:
    """What is said about an inactive token does not count."""
    result = await connect(says(document)).oauth.introspect_token(token="x")

    assert result.active is document["active"]
    assert (result.sub, result.scope, result.exp, result.org_id) == (None, "", None, None)
    assert json.loads(result.raw) == document


async def test_check_uses_the_names_of_the_platform() -> None:
    """Singular types outside, plural namespaces inside; an unknown type keeps its name."""
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return says({"allowed": True})

    for target in ("project:a/b", "oauth-clients:b"):
        await connect(respond).permissions.check(subject="user:ü", relation="editor", object=target)

    same = {"relation": "editor", "subject": "identities:ü"}
    assert str(requests[0].url) == "https://id.example/base/v1/permissions:check"
    assert requests[0].headers["authorization"] == "Bearer ak_secret"
    assert requests[0].headers["content-type"] == "application/json"
    assert [json.loads(request.content) for request in requests] == [
        {"namespace": "projects", "object": "a/b", **same},
        {"namespace": "oauth-clients", "object": "b", **same},
    ]


async def test_no_secret_shows_in_a_repr() -> None:
    document = {"active": True, "id": "usr_1", "email": "an@secret", "access_token": "at_secret"}
    client = connect(says(document))
    results = [await CALLS[name](client) for name in ("introspect", "grant", "user")]

    for thing in (client, *results):
        assert "secret" not in repr(thing)


class Platform(httpx.AsyncBaseTransport):
    """Gives numbered tokens and takes them in calls, unless they are `refused`."""

    def __init__(self, expires_in: int | None = 3600) -> None:
        self.expires_in = expires_in
        self.refused: set[str] = set()
        self.scopes: list[str] = []
        """Of the tokens, in the order in which they were given out."""
        self.calls: list[str] = []
        """The tokens of the other calls, in their order."""
        self.delay: float = 0
        self.status = 200

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self.delay)
        if request.url.path == "/base/oauth2/token":
            form = parse_qs(request.content.decode())
            assert form["client_secret"] == ["cs_secret"]
            self.scopes.append(form.get("scope", [""])[0])
            token = f"t{len(self.scopes)}"
            return says({"access_token": token, "expires_in": self.expires_in}, self.status)
        self.calls.append(request.headers["authorization"].removeprefix("Bearer "))
        return says({"allowed": True}, 401 if self.calls[-1] in self.refused else 200)


async def check(client: AsyncAvnologyId) -> object:
    return await CALLS["check"](client)


async def test_token_is_reused_for_its_scopes() -> None:
    platform = Platform()
    client = connect(platform, api_key=None)
    for scopes in (["a", "b"], ("b", "a"), ["a"], []):
        await client.oauth.client_credentials(scopes=scopes)
    await check(client)
    await check(client)

    assert platform.scopes == ["a b", "a", "", "admin:permissions:read"]
    assert platform.calls == ["t4", "t4"]


async def test_token_is_renewed_before_it_ends() -> None:
    """When a tenth of its life is left."""
    platform, clock = Platform(expires_in=1000), Clock()
    client = connect(platform, clock, api_key=None)
    for clock.now in (NOW, NOW + 899, NOW + 900):
        await check(client)

    assert platform.calls == ["t1", "t1", "t2"]


async def test_concurrent_calls_share_one_token() -> None:
    """A caller that goes away does not take it from the others."""
    platform = Platform()
    platform.delay = 0.01
    client = connect(platform, api_key=None)
    calls = [asyncio.create_task(check(client)) for _ in range(20)]
    await asyncio.sleep(0)
    calls.pop().cancel()

    assert await asyncio.gather(*calls) == [True] * 19
    assert platform.scopes == ["admin:permissions:read"]


async def test_refused_token_is_replaced_once_for_all() -> None:
    """Also where many calls were refused: a late refusal leaves the new token alone."""
    platform = Platform()
    client = connect(platform, api_key=None)
    await check(client)
    platform.refused = {"t1"}
    await asyncio.gather(*(check(client) for _ in range(20)))
    await check(client)

    assert len(platform.scopes) == 2
    assert (platform.calls.count("t1"), platform.calls.count("t2")) == (21, 21)


@pytest.mark.parametrize(("api_key", "calls"), [(None, ["t1", "t2"]), ("ak_secret", ["ak_secret"])])
async def test_credential_that_is_always_refused_is_an_error(
    api_key: str | None, calls: list[str]
) -> None:
    """A token is replaced once, and an API key not at all."""
    platform = Platform()
    platform.refused = {"t1", "t2", "ak_secret"}
    with pytest.raises(errors.AvnologyIdError) as refusal:
        await check(connect(platform, api_key=api_key))

    assert (refusal.value.status_code, platform.calls) == (401, calls)
