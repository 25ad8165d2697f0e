"""What the client makes of an answer: the right error, a result with defaults, and no secret."""

import json
import time
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest
from avnology_id import AsyncAvnologyId, TokenIntrospection, User, errors
from hypothesis import given, strategies

from tests.callers import NOW

pytestmark = pytest.mark.anyio

Answer = Callable[[httpx.Request], httpx.Response]


def beside(answer: Answer | httpx.Response) -> AsyncAvnologyId:
    """Return a client whose calls get `answer`, with an API key so that each is one call."""
    handler = answer if callable(answer) else lambda _: answer
    return AsyncAvnologyId(
        base_url="https://id.example/base/",
        client_id="app_1",
        client_secret="cs_secret",
        api_key="ak_secret",
        transport=httpx.MockTransport(handler),
        clock=lambda: NOW,
    )


def says(document: object) -> httpx.Response:
    return httpx.Response(200, content=json.dumps(document))


async def get_user(answer: httpx.Response) -> User:
    return await beside(answer).admin.get_user(user_id="usr_1")


async def introspect(answer: httpx.Response) -> TokenIntrospection:
    return await beside(answer).oauth.introspect_token(token="x")


FLAT = {"code": "AVNOLOGY_AUTH_901", "message": "m", "details": {"a": 1}, "request_id": "req_1"}


@pytest.mark.parametrize("body", [FLAT, {"error": FLAT}])
async def test_an_error_is_read_flat_and_nested(body: dict[str, object]) -> None:
    """No page shows the body of an error, so both likely forms are taken."""
    with pytest.raises(errors.NotFoundError) as refusal:
        await get_user(httpx.Response(404, json=body))

    error = refusal.value
    assert (error.code, error.status_code, error.message) == ("AVNOLOGY_AUTH_901", 404, "m")
    assert (error.request_id, error.details) == ("req_1", {"a": 1})
    assert error.retry_after is None


ERRORS: dict[str, tuple[int, object, type[errors.AvnologyIdError]]] = {
    "400": (400, {}, errors.ValidationError),
    "C10-422": (422, {}, errors.ValidationError),
    "401": (401, {}, errors.UnauthorizedError),
    "403": (403, {}, errors.ForbiddenError),
    "404": (404, {}, errors.NotFoundError),
    "409": (409, {}, errors.ConflictError),
    "423": (423, {}, errors.AccountLockedError),
    "429": (429, {}, errors.RateLimitError),
    "429-whatever-it-says": (429, {"error": "invalid_client"}, errors.RateLimitError),
    "418": (418, {}, errors.ApiError),
    "500": (500, {}, errors.ApiError),
    "500-whatever-it-says": (500, {"code": "AVNOLOGY_AUTH_001"}, errors.ApiError),
    "503": (503, {}, errors.ApiError),
    "204": (204, {}, errors.ApiError),
    "302": (302, {}, errors.ApiError),
    "wrong-password": (401, {"code": "AVNOLOGY_AUTH_001"}, errors.InvalidCredentialsError),
    "locked": (423, {"code": "AVNOLOGY_AUTH_002"}, errors.AccountLockedError),
    "token-expired": (401, {"code": "AVNOLOGY_AUTH_205"}, errors.UnauthorizedError),
    "invalid_grant": (400, {"error": "invalid_grant"}, errors.InvalidGrantError),
    "invalid_client": (401, {"error": "invalid_client"}, errors.InvalidClientError),
    "invalid_scope": (400, {"error": "invalid_scope"}, errors.InvalidScopeError),
    "insufficient_scope": (403, {"error": "insufficient_scope"}, errors.InsufficientScopeError),
    "invalid_request": (400, {"error": "invalid_request"}, errors.OAuthError),
    "nested-oauth": (401, {"error": {"code": "invalid_client"}, "a": 1}, errors.InvalidClientError),
    "a-list": (404, [], errors.NotFoundError),
    "strange-fields": (
        404,
        {"code": 7, "message": [], "request_id": {}, "details": "x", "error": None},
        errors.NotFoundError,
    ),
}


@pytest.mark.parametrize(("status", "body", "kind"), ERRORS.values(), ids=ERRORS)
async def test_a_status_and_a_code_are_an_error(
    status: int, body: object, kind: type[errors.AvnologyIdError]
) -> None:
    with pytest.raises(errors.AvnologyIdError) as refusal:
        await get_user(httpx.Response(status, json=body))

    assert type(refusal.value) is kind
    assert refusal.value.status_code == status


@pytest.mark.parametrize("body", [b"", b"<!DOCTYPE html>", b"\xff", b"[" * 50_000])
async def test_an_error_without_a_document_is_one_too(body: bytes) -> None:
    with pytest.raises(errors.ApiError) as refusal:
        await get_user(httpx.Response(502, content=body))

    assert (refusal.value.code, refusal.value.message) == ("status_502", "")


WAITS = {"7": 7, "0": 1, "86400": 3600, "soon": 5, "Fri, 15 Jan 2027 08:00:30 GMT": 30, None: 5}


@pytest.mark.parametrize(("sent", "seconds"), WAITS.items())
async def test_a_limit_says_how_long_to_wait(sent: str | None, seconds: int) -> None:
    """Nothing waits here: a caller of the service is told."""
    headers = {} if sent is None else {"Retry-After": sent}
    body = {"details": {"limit": 10, "remaining": 0}, "code": "AVNOLOGY_AUTH_999"}
    with pytest.raises(errors.RateLimitError) as refusal:
        await introspect(httpx.Response(429, headers=headers, json=body))

    assert refusal.value.retry_after == seconds
    assert (refusal.value.limit, refusal.value.remaining) == (10, 0)


def test_documented_fields_come_from_the_details() -> None:
    details = {
        "flow_id": "flow_1",
        "available_methods": ["totp", 7],
        "attempts_remaining": 2,
        "reason": "short",
        "field_errors": [{"field": "email", "message": "is taken"}, "x"],
    }
    mfa = errors.MfaRequiredError(code="c", details=details)

    assert (mfa.flow_id, mfa.available_methods) == ("flow_1", ["totp"])
    assert errors.InvalidCodeError(code="c", details=details).attempts_remaining == 2
    assert errors.PasswordTooWeakError(code="c", details=details).reason == "short"
    assert errors.ValidationError(code="c", details=details).field_errors == [
        errors.FieldError("email", "is taken")
    ]


def test_documented_fields_may_be_missing() -> None:
    mfa = errors.MfaRequiredError(code="c")

    assert (mfa.flow_id, mfa.available_methods) == ("", [])
    assert errors.InvalidCodeError(code="c").attempts_remaining == 0
    assert errors.ValidationError(code="c").field_errors == []


async def test_the_text_of_an_error_is_its_code_and_status() -> None:
    """What the platform wrote may hold a token or a name, and tracebacks are logged."""
    body = {"code": "AVNOLOGY_AUTH_902", "details": {"token": "s3cret"}, "message": "s3cret"}
    with pytest.raises(errors.ValidationError) as refusal:
        await get_user(httpx.Response(400, json=body))

    assert str(refusal.value) == "AVNOLOGY_AUTH_902 (status 400)"
    assert "s3cret" not in repr(refusal.value)


@pytest.mark.parametrize("word", ["two words", "a\nb", "", "at_" + "x1" * 20, "é"])
async def test_a_code_or_an_id_that_is_no_word_is_none(word: str) -> None:
    """Both end up in the log."""
    with pytest.raises(errors.ApiError) as refusal:
        await get_user(httpx.Response(500, json={"code": word, "request_id": word}))

    assert (refusal.value.code, refusal.value.request_id) == ("status_500", None)


async def test_a_code_that_repeats_a_short_token_is_none() -> None:
    """L1: codes are the platform's or those of OAuth, and nothing that looks like a token."""
    with pytest.raises(errors.ApiError) as refusal:
        await get_user(httpx.Response(500, json={"error": "at_0123abcdEF"}))

    assert str(refusal.value) == "status_500 (status 500)"


NAMES: dict[str, tuple[dict[str, object], str | None]] = {
    "C9-flat": ({"first_name": "Anna", "last_name": "Example"}, "Anna Example"),
    "C9-nested": (
        {"name": {"first": "Anna", "last": "Example"}, "first_name": None},
        "Anna Example",
    ),
    "as-displayed": ({"display_name": "Annie", "first_name": "Anna"}, "Annie"),
    "one-text": ({"name": "Anna Example"}, "Anna Example"),
    "one-part": ({"name": {"first": "Anna", "last": None}, "last_name": ""}, "Anna"),
    "null": ({"name": None, "first_name": None}, None),
    "empty": ({"name": {}, "first_name": ""}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize(("document", "name"), NAMES.values(), ids=NAMES)
async def test_a_name_is_made_of_what_there_is(
    document: dict[str, object], name: str | None
) -> None:
    assert (await get_user(says(document))).name == name


async def test_what_is_left_out_has_a_default() -> None:
    """The platform says nothing but `active` about some tokens, and little about some users."""
    token, user = await introspect(says({"active": True})), await get_user(says({}))

    assert (token.sub, token.scope, token.aud, token.exp) == (None, "", (), None)
    assert (user.id, user.email, user.email_verified) == (None, None, False)


async def test_c15_an_organization_has_two_spellings() -> None:
    flat = await introspect(says({"active": True, "org_id": "org_1"}))
    other = await introspect(says({"active": True, "organization_id": "org_1"}))

    assert flat.org_id == flat.organization_id == other.org_id == other.organization_id == "org_1"


MALFORMED = {
    "html": b"<!DOCTYPE html>",
    "empty": b"",
    "list": b"[]",
    "nan": b'{"active":true,"allowed":true,"exp":NaN}',
    "not-utf-8": b'{"active":true,"allowed":true,"a":"\xff"}',
    "a-name-twice": b'{"active":false,"active":true,"allowed":false,"allowed":true,"a":1,"a":1}',
    "half-a-surrogate-pair": b'{"active":true,"allowed":true,"email":"\\ud800"}',
    "nested": b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "text": b'{"active":"true","allowed":"true","email":1}',
    "one": b'{"active":1,"allowed":1,"email":true}',
    "null": b'{"active":null,"allowed":null,"email":[]}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
async def test_an_answer_that_breaks_the_protocol_is_an_error(body: bytes) -> None:
    """Of all calls: never a yes, and never a half of a user."""
    client = beside(httpx.Response(200, content=body, headers={"X-Request-Id": "req_1"}))
    for call in (
        client.oauth.introspect_token(token="x"),
        client.permissions.check(subject="user:a", relation="editor", object="project:b"),
        client.admin.get_user(user_id="usr_1"),
        client.oauth.client_credentials(),
    ):
        with pytest.raises(errors.ApiError) as refusal:
            await call

        assert (refusal.value.code, refusal.value.status_code) == ("malformed_answer", 200)
        assert refusal.value.request_id == "req_1"


TOKENS = {
    "no-token": {},
    "null": {"access_token": None},
    "empty": {"access_token": ""},
    "two-lines": {"access_token": "a\r\nX: y"},
    "not-ascii": {"access_token": "é"},
    "other-kind": {"access_token": "a", "token_type": "mac"},
    "other-type": {"access_token": "a", "expires_in": "3600"},
}


@pytest.mark.parametrize("document", TOKENS.values(), ids=TOKENS)
async def test_a_token_that_cannot_be_sent_is_none(document: dict[str, object]) -> None:
    with pytest.raises(errors.ApiError, match="malformed_answer"):
        await beside(says(document)).oauth.client_credentials()


async def test_a_question_is_put_in_the_words_of_the_platform() -> None:
    """C5: singular types outside, plural namespaces inside; an unknown type keeps its name."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return says({"allowed": True})

    client = beside(answer)
    for target in ("project:a/b", "oauth-clients:b"):
        await client.permissions.check(subject="user:ü", relation="editor", object=target)

    assert str(asked[0].url) == "https://id.example/base/v1/permissions:check"
    assert asked[0].headers["authorization"] == "Bearer ak_secret"
    assert asked[0].headers["content-type"] == "application/json"
    assert [json.loads(request.content) for request in asked] == [
        {"namespace": "projects", "object": "a/b", "relation": "editor", "subject": "identities:ü"},
        {
            "namespace": "oauth-clients",
            "object": "b",
            "relation": "editor",
            "subject": "identities:ü",
        },
    ]


NO_NAMES = ["", "user", "user:", ":a", "user:a:b", "user:a#b", "user:a@b", "user:a\n", "a b\0:c"]


@pytest.mark.parametrize("name", [*NO_NAMES, "user:" + "x" * 257, "user:\ud800"])
async def test_a_name_that_would_be_another_tuple_is_not_asked_about(name: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError

    permissions = beside(answer).permissions
    for subject, target in ((name, "project:a"), ("user:a", name)):
        with pytest.raises(errors.ValidationError) as refusal:
            await permissions.check(subject=subject, relation="editor", object=target)

        assert (refusal.value.code, refusal.value.status_code) == ("invalid_id", None)


@pytest.mark.parametrize("user_id", ["", ".", "..", "x" * 257, "\ud800"])
async def test_an_id_that_nobody_can_have_is_not_asked_about(user_id: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError

    with pytest.raises(errors.NotFoundError) as refusal:
        await beside(answer).admin.get_user(user_id=user_id)

    assert refusal.value.code == "invalid_id"


async def test_an_id_stays_one_segment_of_the_path() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return says({})

    await beside(answer).admin.get_user(user_id="../a b?c#d%2e:ü")

    assert asked[0].url.raw_path == b"/base/v1/identities/..%2Fa%20b%3Fc%23d%252e%3A%C3%BC"


async def test_no_secret_shows_in_a_repr() -> None:
    document = {"access_token": "at_secret", "refresh_token": "rt_secret", "id_token": "s_secret"}
    client = beside(says(document))
    token = await client.oauth.client_credentials()
    introspection = await introspect(says({"active": True, "sub": "usr_1", "x": "at_secret"}))
    user = await get_user(says({"id": "usr_1", "email": "an@secret.example"}))

    for thing in (client, vars(client), token, introspection, user):
        assert "secret" not in repr(thing)
    assert repr(client) == "AsyncAvnologyId(base_url='https://id.example/base/', client_id='app_1')"


async def test_the_documented_defaults_need_no_clock_and_no_key() -> None:
    client = AsyncAvnologyId(
        base_url="https://id.example",
        client_id="app_1",
        client_secret="cs_1",
        transport=httpx.MockTransport(lambda _: says({"access_token": "a", "expires_in": 60})),
    )
    token = await client.oauth.client_credentials()

    assert time.time() < token.expires_at.timestamp() <= time.time() + 60


@given(strategies.binary(max_size=100), strategies.integers(200, 599))
async def test_no_answer_raises_anything_else(body: bytes, status: int) -> None:
    """Whatever comes, who calls the client has one kind of exception to expect."""
    client = beside(httpx.Response(status, content=body))
    for call in (
        client.oauth.introspect_token(token="x"),
        client.permissions.check(subject="user:a", relation="editor", object="project:b"),
        client.admin.get_user(user_id="usr_1"),
        client.oauth.client_credentials(),
    ):
        with suppress(errors.AvnologyIdError):
            await call
