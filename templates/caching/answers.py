"""What the identity provider said about a token, as it is remembered, and where.

A store keeps answers under keys that tell nothing about the tokens. It may lose any of them at any
time; what it returns is judged by whoever asked for it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cachetools import TLRUCache

from app.auth.claims import Claims, MalformedClaims, parse_claims, parse_object
from app.auth.counters import Counters

VERSION = 1
"""Of the written form. A process of another release does not guess at what it reads."""
MAX_SIZE = 16_384
"""Bytes of the written form of an answer that is worth remembering: four times a usual one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider vouched for when it was asked. Never what followed from it."""

    claims: Claims
    asked_at: float
    """When the question was sent, in seconds since 1970. The answer is not newer than that."""

    def until(self, lifetime: float) -> float:
        """Return when it is no longer believed: after `lifetime` (seconds), never after `exp`."""
        end = self.asked_at + lifetime
        expires_at = self.claims.expires_at
        return end if expires_at is None or end < expires_at else expires_at

    def is_about(self, subject: str) -> bool:
        """Tell whether the token stands for `subject`."""
        return self.claims.owner == subject


class Found(NamedTuple):
    """What a store knows about a key."""

    answer: Answer | None
    epoch: bytes | None
    """Changes whenever answers are forgotten. `None` where the store cannot tell."""


class StoreUnavailable(Exception):
    """The store did not do what it was told. The text names the kind of failure, no value."""


class Store(Protocol):
    """Where answers are kept. Only forgetting can fail; it raises `StoreUnavailable`."""

    async def find(self, key: str) -> Found:
        """Return what is remembered under `key`."""
        ...

    async def keep(self, key: str, answer: Answer, epoch: bytes | None) -> None:
        """Remember `answer`, unless answers were forgotten since `epoch`."""
        ...

    async def drop(self, key: str) -> None:
        """Forget the answer under `key`, as there is a better one."""
        ...

    async def forget(self, key: str) -> None:
        """Forget the answer under `key`, and any that is on its way."""
        ...

    async def forget_subject(self, subject: str) -> None:
        """Forget all answers about the tokens of `subject`, and any that is on its way."""
        ...

    async def forget_all(self) -> None:
        """Forget all answers, and any that is on its way."""
        ...

    def size(self) -> int | None:
        """Return how many answers there are, or `None` where counting is not ours."""
        ...


class MemoryStore:
    """Keeps answers in the memory of this process: the least used one makes room for a new one.

    `lifetime` in seconds, `clock` in seconds since 1970. An answer that is on its way while others
    are forgotten is known to its only caller, so the epoch does not change here.
    """

    def __init__(
        self,
        max_entries: int,
        lifetime: float,
        clock: Callable[[], float],
        counters: Counters,
    ) -> None:
        self._answers = _Counted(
            max_entries, lambda _, answer, __: answer.until(lifetime), clock, counters
        )

    async def find(self, key: str) -> Found:
        try:
            return Found(self._answers[key], b"")
        except KeyError:
            return Found(None, b"")

    async def keep(self, key: str, answer: Answer, epoch: bytes | None) -> None:
        if encode(answer, key) is not None:
            self._answers[key] = answer

    async def drop(self, key: str) -> None:
        self._answers.pop(key, None)

    async def forget(self, key: str) -> None:
        self._answers.pop(key, None)

    async def forget_subject(self, subject: str) -> None:
        for key, answer in list(self._answers.items()):
            if answer.is_about(subject):
                self._answers.pop(key, None)

    async def forget_all(self) -> None:
        self._answers.clear()

    def size(self) -> int | None:
        return len(self._answers)


class _Counted(TLRUCache[str, Answer]):
    """Counts the answers that had to make room before their time."""

    def __init__(
        self,
        max_entries: int,
        until: Callable[[str, Answer, float], float],
        clock: Callable[[], float],
        counters: Counters,
    ) -> None:
        super().__init__(max_entries, until, clock)
        self._counters = counters

    def popitem(self) -> tuple[str, Answer]:
        self._counters.evictions += 1
        return super().popitem()


def encode(answer: Answer, key: str) -> bytes | None:
    """Return the written form of an answer: JSON that says under which key it belongs.

    `None` where the answer is too large, or nested too deeply, to be worth remembering.
    """
    record = {
        "version": VERSION,
        "key": key,
        "asked_at": float(answer.asked_at),
        "claims": document_of(answer.claims),
    }
    try:
        raw = json.dumps(record, separators=(",", ":"), default=_plain).encode()
    except RecursionError:
        return None
    return raw if len(raw) <= MAX_SIZE else None


def decode(raw: bytes, key: str, now: float) -> Answer | None:
    """Return the answer that was written under `key`, or `None` if it is anything else.

    `now` in seconds since 1970. Whoever wrote it is not trusted with the form: bytes of all kinds,
    an answer that belongs elsewhere, one of another release or of the future are no answers.
    """
    if len(raw) > MAX_SIZE:
        return None
    try:
        record = parse_object(raw)
        claims, asked_at = record.get("claims"), record.get("asked_at")
        if (record.get("version"), record.get("key")) != (VERSION, key):
            return None
        if not isinstance(claims, dict) or not isinstance(asked_at, float) or asked_at > now:
            return None
        return Answer(parse_claims(claims), asked_at)
    except MalformedClaims:
        return None


def document_of(claims: Claims) -> dict[str, object]:
    """Return claims under their names, so that `parse_claims` makes the same claims of them."""
    named = {
        "sub": claims.subject,
        "client_id": claims.client_id,
        "iss": claims.issuer,
        "exp": claims.expires_at,
        "nbf": claims.not_before,
        "iat": claims.issued_at,
        "token_use": claims.token_use,
        "token_type": claims.token_type,
        "cnf": claims.bound or None,
    }
    said = {name: value for name, value in named.items() if value is not None}
    lists = {"scp": sorted(claims.scopes), "aud": sorted(claims.audience)}
    return {**claims.extra, **said, **lists}


def _plain(value: object) -> object:
    """Return a read-only mapping as one that can be written."""
    assert isinstance(value, Mapping)
    return dict(value)
