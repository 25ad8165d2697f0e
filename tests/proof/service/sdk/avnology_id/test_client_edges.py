"""Further responses that the client has to withstand, and further tokens of its own."""

import httpx
import pytest
from avnology_id import errors

from tests.avnology_id.test_client import CALLS, Call, Platform, check, connect, says

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("code", ["two words", "a\nb", "at_" + "x1" * 20, "", "A" * 99, 7, None])
async def test_code_of_another_form_is_left_out(code: object) -> None:
    for field in ("code", "error"):
        with pytest.raises(errors.AvnologyIdError, match=r"^status_500 \(status 500\)$"):
            await CALLS["user"](connect(says({field: code}, 500)))


@pytest.mark.parametrize("shown", ["req_7", "two words", "x" * 41])
async def test_request_id_comes_from_the_body_too(shown: str) -> None:
    response = httpx.Response(500, json={"request_id": shown, "message": "s3cret"})
    with pytest.raises(errors.AvnologyIdError) as refusal:
        await CALLS["user"](connect(response))

    assert refusal.value.request_id == (shown if shown == "req_7" else None)
    assert "s3cret" not in repr(vars(refusal.value))


async def test_request_id_of_a_malformed_response() -> None:
    with pytest.raises(errors.AvnologyIdError) as refusal:
        await CALLS["check"](connect(says({"allowed": "yes", "code": "invalid_client"})))

    assert (refusal.value.code, refusal.value.request_id) == ("malformed_answer", "req_1")


MALFORMED = {
    "empty": b"",
    "not a number": b'{"active":true,"allowed":true,"access_token":"a","exp":NaN}',
    "a nested name twice": b'{"active":true,"allowed":true,"access_token":"a","b":{"a":1,"a":1}}',
    "nested": b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "long number": b'{"active":true,"allowed":true,"access_token":"a","b":' + b"1" * 9000 + b"}",
    "two documents": b'{"active":true,"allowed":true,"access_token":"a"} {}',
    "byte order mark": b'\xef\xbb\xbf{"active":true,"allowed":true,"access_token":"a"}',
    "lifetime is text": b'{"email":1,"access_token":"a","expires_in":"3600"}',
    "lifetime is negative": b'{"email":1,"access_token":"a","expires_in":-5}',
    "lifetime is huge": b'{"email":1,"access_token":"a","expires_in":1' + b"0" * 400 + b"}",
    "lifetime is infinite": b'{"email":1,"access_token":"a","expires_in":1e400}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_malformed_response_is_an_error(call: Call, body: bytes) -> None:
    with pytest.raises(errors.AvnologyIdError, match=r"^malformed_answer \(status 200\)$"):
        await call(connect(httpx.Response(200, content=body)))


@pytest.mark.parametrize("name", ["Anna Example", ["Anna"], 7, {"first": {"a": "b"}}])
async def test_name_of_another_type(name: object) -> None:
    """It is left out, or it makes the response malformed."""
    client = connect(says({"id": "usr_1", "name": name}))
    if isinstance(name, dict):
        with pytest.raises(errors.AvnologyIdError, match="malformed_answer"):
            await client.admin.get_user(user_id="usr_1")
    else:
        assert (await client.admin.get_user(user_id="usr_1")).name is None


def never(request: httpx.Request) -> httpx.Response:
    raise AssertionError


@pytest.mark.parametrize("user_id", ["", ".", "..", "x" * 257, "\ud800", "a\n", "\u202e"])
async def test_impossible_user_id_is_not_sent(user_id: str) -> None:
    with pytest.raises(errors.NotFoundError, match="invalid_id"):
        await connect(never).admin.get_user(user_id=user_id)


@pytest.mark.parametrize(
    "name", ["", "user", ":a", "user:a:b", "user:a#b", "user:a@b", "user:\x7f"]
)
async def test_other_tuple_is_not_sent(name: str) -> None:
    for subject, target in ((name, "project:a"), ("user:a", name)):
        with pytest.raises(errors.ValidationError):
            await connect(never).permissions.check(
                subject=subject, relation="editor", object=target
            )


@pytest.mark.parametrize("length", [256, 1])
async def test_longest_and_shortest_id_are_sent(length: int) -> None:
    client, name = connect(says({"allowed": True})), "x" * length

    assert await client.permissions.check(
        subject=f"user:{name}", relation="editor", object=f"project:{name}"
    )
    assert (await client.admin.get_user(user_id=name)).name is None


@pytest.mark.parametrize("expires_in", [None, 0])
async def test_token_without_an_end_is_used_once(expires_in: int | None) -> None:
    platform = Platform(expires_in)
    client = connect(platform, api_key=None)
    await check(client)
    await check(client)

    assert platform.calls == ["t1", "t2"]


async def test_failed_grant_is_not_kept() -> None:
    platform = Platform()
    platform.status = 500
    client = connect(platform, api_key=None)
    with pytest.raises(errors.AvnologyIdError, match="status_500"):
        await check(client)
    platform.status = 200

    assert await check(client) is True


async def test_token_is_kept_after_another_error() -> None:
    tokens: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth2/token"):
            tokens.append(f"t{len(tokens)}")
            return says({"access_token": tokens[-1], "expires_in": 60})
        return says({}, 403)

    client = connect(respond, api_key=None)
    for _ in range(2):
        with pytest.raises(errors.AvnologyIdError, match="status_403"):
            await check(client)

    assert tokens == ["t0"]


NAMES: dict[str, tuple[dict[str, object], str | None]] = {
    "flat": ({"first_name": "Anna", "last_name": "Example"}, "Anna Example"),
    "nested": ({"name": {"first": "Anna", "last": "Example"}, "first_name": None}, "Anna Example"),
    "to display": ({"display_name": "Annie", "first_name": "Anna"}, "Annie"),
    "one part": ({"name": {"first": "Anna", "last": None}, "last_name": ""}, "Anna"),
    "nothing": ({"name": {}, "first_name": ""}, None),
}


@pytest.mark.parametrize(("document", "name"), NAMES.values(), ids=NAMES)
async def test_name_has_several_forms(document: dict[str, object], name: str | None) -> None:
    user = await connect(says(document)).admin.get_user(user_id="usr_1")

    assert (user.name, user.email) == (name, None)


async def test_several_calls_take_as_long_as_one_may() -> None:
    """A token, its refusal, another token, the response: each comes in time, but not all."""
    platform = Platform()
    platform.refused = {"t1"}
    platform.delay = 0.05
    with pytest.raises(errors.AvnologyIdError, match="timeout"):
        await check(connect(platform, timeout=0.15, api_key=None))


async def test_user_id_stays_one_segment_of_the_path() -> None:
    paths: list[bytes] = []

    def respond(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return says({})

    await connect(respond).admin.get_user(user_id="../a b?c#d%2e:ü")

    assert paths == [b"/base/v1/identities/..%2Fa%20b%3Fc%23d%252e%3A%C3%BC"]
