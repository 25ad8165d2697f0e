"""Marks: which tokens they end, for how long, and how processes learn of each other's."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest

from app.auth.answers import StoreUnavailable
from app.auth.claims import Claims
from app.auth.errors import InvalidToken
from app.auth.revocations import (
    RevocableVerifier,
    Revocations,
    RevocationSettings,
    SharedMarks,
    name_of,
    open_revocations,
)
from app.settings import InvalidSettings
from app.wiring import AppSettings
from tests.callers import NOW
from tests.conftest import ENVIRON
from tests.remembering import Memory, claims, memory

pytestmark = pytest.mark.anyio


@dataclass
class Shared:
    """Marks that processes share, as far as one test goes."""

    marks: dict[str, float] = field(default_factory=dict)
    broken: bool = False
    puts: int = 0
    epoch: bytes | None = b""
    seen: bytes | None = b""

    async def look(self) -> None:
        self.epoch = None if self.broken else self.seen

    async def put(self, marks: Mapping[str, float]) -> None:
        if self.broken:
            raise StoreUnavailable("broken")
        self.puts += 1
        self.marks.update(marks)
        self.epoch = self.seen = str(self.puts).encode()

    async def news(self) -> Mapping[str, float]:
        if self.broken:
            raise StoreUnavailable("broken")
        return self.marks


def revocations(
    known: Memory, shared: SharedMarks | None = None, ttl: float = 86_400
) -> Revocations:
    return Revocations(known.verifier, shared, ttl, known.clock)


def issued(at: float | None, **changes: str | None) -> Claims:
    """Return the claims of a token that was issued then."""
    return claims()._replace(issued_at=at, **changes)  # type: ignore[arg-type]


async def refused(marks: Revocations, said: Claims, token: str = "good") -> bool:
    try:
        await marks.check(said, token)
    except InvalidToken as refusal:
        return refusal.reason == "revoked"
    return False


@pytest.mark.parametrize(
    ("issued_at", "is_refused"), [(NOW - 1, True), (NOW, True), (NOW + 1, False), (None, True)]
)
async def test_a_mark_ends_what_was_issued_before(
    issued_at: float | None, is_refused: bool
) -> None:
    """Up to its own second, and what does not say when it was issued."""
    marks = revocations(memory())
    await marks.revoke_subject("anna", NOW)

    assert await refused(marks, issued(issued_at)) is is_refused


REVOKE: dict[str, Callable[[Revocations], Awaitable[None]]] = {
    "subject": lambda marks: marks.revoke_subject("anna", NOW),
    "client": lambda marks: marks.revoke_client("site", NOW),
    "token": lambda marks: marks.revoke_token("good", NOW),
}
OTHERS = {
    "subject": (issued(NOW, subject="bert"), "good"),
    "client": (issued(NOW, client_id="app"), "good"),
    "token": (issued(NOW), "other"),
}


@pytest.mark.parametrize("way", REVOKE)
async def test_a_mark_is_about_one_of_them(way: str) -> None:
    marks = revocations(memory())
    await REVOKE[way](marks)
    other, token = OTHERS[way]

    assert await refused(marks, issued(NOW))
    assert not await refused(marks, other, token)


@pytest.mark.parametrize(
    ("token", "other", "is_refused"),
    [
        ("eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "eyJhbGciOiJFUzI1NiJ9.e30.BBBB", True),
        ("ewogImFsZyI6IkVTMjU2In0.e30.AAAA", "ewogImFsZyI6IkVTMjU2In0.e30.BBBB", True),
        ("eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "eyJhbGciOiJFUzI1NiJ9.e31.AAAA", False),
        ("v4.public.AAAA", "v4.public.BBBB", False),
        ("eyA.BBBB", "eyA.CCCC", False),
    ],
)
async def test_another_signature_makes_no_other_token(
    token: str, other: str, is_refused: bool
) -> None:
    """An ECDSA signature is one of two, and whoever has the token can tell the other one."""
    marks = revocations(memory())
    await marks.revoke_token(token, NOW)

    assert await refused(marks, issued(NOW), token)
    assert await refused(marks, issued(NOW), other) is is_refused


async def test_a_subject_is_no_client_of_that_name() -> None:
    marks = revocations(memory())
    await marks.revoke_client("anna", NOW)
    await marks.revoke_token("anna", NOW)

    assert not await refused(marks, issued(NOW))


async def test_a_machine_is_its_own_subject() -> None:
    marks = revocations(memory())
    await marks.revoke_subject("site", NOW)

    assert await refused(marks, issued(NOW, subject=None))
    assert not await refused(marks, issued(NOW))


async def test_a_mark_counts_although_answers_cannot_be_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The event is done: what is remembered is held against the mark."""
    known, shared = memory(), Shared()

    async def too_slow(_: str) -> None:
        raise StoreUnavailable("timeout")

    monkeypatch.setattr(known.verifier.store, "forget_subject", too_slow)
    marks = revocations(known, shared)
    await marks.revoke_subject("anna", NOW)

    assert await refused(marks, issued(NOW))
    assert len(shared.marks) == 1


async def test_an_older_mark_does_not_undo_a_newer_one() -> None:
    marks = revocations(memory())
    await marks.revoke_subject("anna", NOW)
    await marks.revoke_subject("anna", NOW - 100)

    assert await refused(marks, issued(NOW - 50))


async def test_a_mark_is_kept_for_its_time() -> None:
    known = memory()
    marks = revocations(known, ttl=100)
    await marks.revoke_subject("anna", NOW)
    known.clock.now += 99.9
    before = await refused(marks, issued(NOW))
    known.clock.now += 0.1

    assert [before, await refused(marks, issued(NOW))] == [True, False]


async def test_a_mark_that_is_read_again_lives_no_longer() -> None:
    """Or the marks of yesterday would be there for ever."""
    known, shared = memory(), Shared()
    marks = revocations(known, shared, ttl=100)
    await marks.revoke_subject("anna", NOW)
    known.clock.now += 60
    shared.epoch = shared.seen = b"another"
    before = await refused(marks, issued(NOW))
    known.clock.now += 40

    assert [before, await refused(marks, issued(NOW))] == [True, False]


@pytest.mark.parametrize("max_age", [None, 0])
@pytest.mark.parametrize("way", REVOKE)
async def test_a_remembered_answer_dies_at_once(way: str, max_age: float | None) -> None:
    """And however sure one wants to be, it is no better."""
    known = memory()
    known.source.says["good"] = issued(NOW)
    marks = revocations(known)
    verifier = RevocableVerifier(known.verifier, marks)
    await verifier.verify("good")
    await REVOKE[way](marks)

    assert known.store.size() == 0
    with pytest.raises(InvalidToken):
        await verifier.verify("good", max_age)


async def test_an_answer_on_its_way_comes_too_late() -> None:
    """I15: the provider was asked before, and answers after."""
    known = memory()
    known.source.says["good"] = issued(NOW)
    known.source.hold = asyncio.Event()
    marks = revocations(known)
    verifier = RevocableVerifier(known.verifier, marks)
    asking = asyncio.create_task(verifier.verify("good"))
    await known.source.begun.wait()
    await marks.revoke_subject("anna", NOW)
    known.source.hold.set()

    with pytest.raises(InvalidToken):
        await asking
    assert known.store.size() == 0


async def test_what_one_process_is_told_the_others_know() -> None:
    shared = Shared()
    one, two = revocations(memory(), shared), revocations(memory(), shared)
    await one.revoke_subject("anna", NOW)

    assert await refused(two, issued(NOW))


async def test_a_process_without_requests_learns_it_too() -> None:
    """So it knows when Redis is gone at its first one."""
    shared = Shared()
    one, two = revocations(memory(), shared), revocations(memory(), shared)
    await one.revoke_subject("anna", NOW)
    patrol = asyncio.create_task(two.patrol())
    await asyncio.sleep(0)
    shared.broken = True
    await shared.look()
    patrol.cancel()

    assert await refused(two, issued(NOW))


async def test_a_mark_counts_here_while_the_others_cannot_be_told() -> None:
    """And whoever marks has to know that they were not."""
    shared = Shared(broken=True, epoch=None)
    marks = revocations(memory(), shared)
    with pytest.raises(StoreUnavailable):
        await marks.revoke_subject("anna", NOW)

    assert await refused(marks, issued(NOW))


async def test_marks_that_cannot_be_read_are_read_later() -> None:
    shared = Shared()
    one, two = revocations(memory(), shared), revocations(memory(), shared)
    await one.revoke_subject("anna", NOW)
    shared.broken = True
    before = await refused(two, issued(NOW))
    shared.broken = False

    assert [before, await refused(two, issued(NOW))] == [False, True]


async def test_a_store_that_lost_its_memory_gets_it_back() -> None:
    """A process that starts later learns what the others still know."""
    shared = Shared()
    one = revocations(memory(), shared)
    await one.revoke_subject("anna", NOW)
    assert await refused(one, issued(NOW))
    shared.marks.clear()
    shared.epoch = shared.seen = b""
    await one.catch_up()
    two = revocations(memory(), shared)

    assert await refused(two, issued(NOW))


async def test_what_was_restored_counts() -> None:
    marks = revocations(memory())
    marks.restore("anna", NOW)

    assert await refused(marks, issued(NOW))


async def test_in_memory_there_is_nobody_to_ask() -> None:
    known = memory()
    async with open_revocations(known.verifier, RevocationSettings(), known.clock) as marks:
        await asyncio.sleep(0)
        await marks.revoke_subject("anna", NOW)

        assert await refused(marks, issued(NOW))
    assert len(asyncio.all_tasks()) <= 2


async def test_a_mark_shows_no_name() -> None:
    shared = Shared()
    await revocations(memory(), shared).revoke_subject("anna", NOW)

    assert shared.marks == {name_of("subject", "anna"): NOW}
    assert "anna" not in str(shared.marks)


@pytest.mark.parametrize("value", ["0", "-1", "for ever", "inf", "99999999999"])
async def test_a_wrong_time_is_refused_in_words(value: str) -> None:
    with pytest.raises(InvalidSettings, match=r"^REVOCATION_TTL is wrong: set seconds"):
        AppSettings.read({**ENVIRON, "REVOCATION_TTL": value})
