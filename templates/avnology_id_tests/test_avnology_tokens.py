"""The token that the client has for itself: kept, renewed, fetched once, and replaced once."""

import asyncio
from collections import Counter
from urllib.parse import parse_qs

import httpx
import pytest
from avnology_id import AsyncAvnologyId, Scopes, errors

from tests.callers import Clock

pytestmark = pytest.mark.anyio

USERS = "admin:users:read"
PERMISSIONS = "admin:permissions:read"


class Platform(httpx.AsyncBaseTransport):
    """Gives numbered tokens and takes them in calls, unless they are `refused`."""

    def __init__(self, expires_in: object = 3600) -> None:
        self.expires_in = expires_in
        self.refused: set[str] = set()
        self.scopes: list[str] = []
        """Of the tokens, in the order in which they were given out."""
        self.calls: list[str] = []
        """The tokens of the other calls, in their order."""
        self.gate = asyncio.Event()
        self.gate.set()
        self.late = asyncio.Event()
        """Until this is set, the second call with a refused token gets no answer."""
        self.late.set()
        self.broken = False
        self.delay: float = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self.delay)
        if request.url.path == "/oauth2/token":
            return await self._give(parse_qs(request.content.decode()))
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.calls.append(token)
        await asyncio.sleep(0)
        if token in self.refused:
            if self.calls.count(token) == 2:
                await self.late.wait()
            return httpx.Response(401, json={"code": "AVNOLOGY_AUTH_205"})
        return httpx.Response(200, json={"allowed": True})

    async def _give(self, form: dict[str, list[str]]) -> httpx.Response:
        assert form.pop("client_secret") == ["cs_1"]
        assert (form["client_id"], form["grant_type"]) == (["app_1"], ["client_credentials"])
        self.scopes.append(form.get("scope", [""])[0])
        number = len(self.scopes)
        await self.gate.wait()
        if self.broken:
            return httpx.Response(500)
        document = {"access_token": f"t{number}", "expires_in": self.expires_in}
        return httpx.Response(200, json=document)


def connect(platform: Platform, clock: Clock | None = None, timeout: float = 30) -> AsyncAvnologyId:
    return AsyncAvnologyId(
        base_url="https://id.example",
        client_id="app_1",
        client_secret="cs_1",
        timeout=timeout,
        transport=platform,
        clock=clock or Clock(),
    )


async def may(client: AsyncAvnologyId) -> bool:
    return await client.permissions.check(subject="user:a", relation="editor", object="project:b")


async def test_a_token_is_kept() -> None:
    platform = Platform()
    client = connect(platform)
    for _ in range(3):
        await may(client)

    assert platform.scopes == [PERMISSIONS]
    assert platform.calls == ["t1", "t1", "t1"]


async def test_a_token_is_kept_for_its_scopes() -> None:
    """The order in which they are asked for means nothing; another set is another token."""
    platform = Platform()
    client = connect(platform)
    tokens = [
        await client.oauth.client_credentials(scopes=scopes)
        for scopes in (["a", "b"], ("b", "a"), ["a"], [])
    ]

    assert platform.scopes == ["a b", "a", ""]
    assert [token.access_token for token in tokens] == ["t1", "t1", "t2", "t3"]


async def test_each_kind_of_call_has_its_scope() -> None:
    """C18: the documentation has two lists of them, so they can be set."""
    platform = Platform()
    await may(connect(platform))
    await connect(platform).admin.get_user(user_id="usr_1")
    other = AsyncAvnologyId(
        base_url="https://id.example",
        client_id="app_1",
        client_secret="cs_1",
        transport=platform,
        scopes=Scopes(users="users:read profile"),
    )
    await other.admin.get_user(user_id="usr_1")

    assert platform.scopes == [PERMISSIONS, USERS, "profile users:read"]


RENEWALS = {"an-hour": (3600, 3569, 3571), "a-minute": (60, 53, 55), "a-second": (1, 0.8, 0.95)}


@pytest.mark.parametrize(("life", "kept", "renewed"), RENEWALS.values(), ids=RENEWALS)
async def test_a_token_is_renewed_before_it_ends(life: int, kept: float, renewed: float) -> None:
    """Thirty seconds before, or a tenth of a short life."""
    platform, clock = Platform(expires_in=life), Clock()
    client = connect(platform, clock)
    start = clock.now
    for clock.now in (start, start + kept, start + renewed):
        await may(client)

    assert platform.calls == ["t1", "t1", "t2"]


@pytest.mark.parametrize("expires_in", [None, 0, -5])
async def test_a_token_without_an_end_is_used_once(expires_in: object) -> None:
    platform = Platform(expires_in)
    client = connect(platform)
    await may(client)
    await may(client)

    assert platform.calls == ["t1", "t2"]


async def test_an_absurd_life_is_a_day() -> None:
    platform, clock = Platform(expires_in=10**300), Clock()
    client = connect(platform, clock)
    await may(client)
    clock.now += 86_400
    await may(client)

    assert platform.calls == ["t1", "t2"]


async def test_many_calls_fetch_one_token() -> None:
    platform = Platform()
    platform.gate.clear()
    client = connect(platform)
    calls = [asyncio.create_task(may(client)) for _ in range(20)]
    await asyncio.sleep(0)
    platform.gate.set()

    assert await asyncio.gather(*calls) == [True] * 20
    assert platform.scopes == [PERMISSIONS]


async def test_who_goes_away_leaves_the_token_to_the_others() -> None:
    platform = Platform()
    platform.gate.clear()
    client = connect(platform)
    first, second = (asyncio.create_task(may(client)) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    platform.gate.set()

    assert await second is True
    assert platform.scopes == [PERMISSIONS]


async def test_all_who_wait_learn_of_a_failure_and_the_next_one_tries_again() -> None:
    platform = Platform()
    platform.broken = True
    client = connect(platform)
    failures = await asyncio.gather(*(may(client) for _ in range(5)), return_exceptions=True)
    platform.broken = False

    assert {type(failure) for failure in failures} == {errors.ApiError}
    assert await may(client) is True
    assert platform.calls == ["t2"]


async def test_a_failure_that_nobody_waits_for_any_more_is_no_matter() -> None:
    """No warning about it either: warnings are errors here."""
    platform = Platform()
    platform.broken = True
    platform.gate.clear()
    client = connect(platform)
    call = asyncio.create_task(may(client))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    platform.gate.set()
    for _ in range(5):
        await asyncio.sleep(0)
    platform.broken = False

    assert await may(client) is True


async def test_a_refused_token_is_replaced_once() -> None:
    platform = Platform()
    client = connect(platform)
    await may(client)
    platform.refused = {"t1"}

    assert await may(client) is True
    assert await may(client) is True
    assert platform.calls == ["t1", "t1", "t2", "t2"]


async def test_a_new_token_that_is_refused_too_is_an_error() -> None:
    """Otherwise a client that may not call would ask for tokens for ever."""
    platform = Platform()
    platform.refused = {"t1", "t2"}
    with pytest.raises(errors.UnauthorizedError):
        await may(connect(platform))

    assert platform.calls == ["t1", "t2"]


async def test_many_calls_with_a_refused_token_fetch_one_in_its_place() -> None:
    platform = Platform()
    client = connect(platform)
    await may(client)
    platform.refused = {"t1"}
    await asyncio.gather(*(may(client) for _ in range(20)))

    assert len(platform.scopes) == 2
    assert Counter(platform.calls) == {"t1": 21, "t2": 20}


async def test_a_late_refusal_leaves_the_new_token_alone() -> None:
    """It is about a token that another one has replaced meanwhile."""
    platform = Platform()
    client = connect(platform)
    await may(client)
    platform.refused = {"t1"}
    platform.late.clear()
    late = asyncio.create_task(may(client))
    for _ in range(5):
        await asyncio.sleep(0)
    await may(client)
    platform.late.set()
    await late

    assert platform.calls == ["t1", "t1", "t1", "t2", "t2"]


async def test_an_api_key_needs_no_token() -> None:
    """And a refused one is not replaced: there is nothing to replace it with."""
    platform = Platform()
    platform.refused = {"ak_2"}
    for key in ("ak_1", "ak_2"):
        client = AsyncAvnologyId(
            base_url="https://id.example",
            client_id="app_1",
            client_secret="cs_1",
            api_key=key,
            transport=platform,
        )
        if key == "ak_1":
            assert await may(client) is True
        else:
            with pytest.raises(errors.UnauthorizedError):
                await may(client)

    assert (platform.scopes, platform.calls) == ([], ["ak_1", "ak_2"])


async def test_several_calls_take_as_long_as_one_may() -> None:
    """A token, its refusal, another token, the answer: each comes in time, but not all of them."""
    platform = Platform()
    platform.refused = {"t1"}
    platform.delay = 0.05
    with pytest.raises(errors.TimeoutError):
        await may(connect(platform, timeout=0.15))


async def test_a_closed_client_calls_nobody() -> None:
    platform = Platform()
    async with connect(platform) as client:
        await may(client)

    for call in (may(client), client.oauth.introspect_token(token="x")):
        with pytest.raises(errors.NetworkError) as refusal:
            await call
        assert refusal.value.code == "closed"
    assert platform.calls == ["t1"]


async def test_closing_ends_what_is_being_fetched() -> None:
    platform = Platform()
    platform.gate.clear()
    client = connect(platform)
    call = asyncio.create_task(may(client))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await client.close()

    with pytest.raises(asyncio.CancelledError):
        await call
