"""The written form of an answer, as one process writes it and another reads it."""

import json
from collections.abc import Callable
from types import MappingProxyType

import pytest
from hypothesis import given, strategies

from app.auth.answers import MAX_SIZE, Answer, decode, encode
from app.auth.claims import Claims, parse_claims
from tests.callers import NOW
from tests.remembering import claims

KEY = "k" * 64


def answer(key: str, **changes: object) -> bytes:
    """Return an answer as another process would write it, with some parts changed."""
    record = json.loads(encode(Answer(claims("mallory"), NOW), key) or b"")
    return json.dumps({**record, **changes}).encode()


POISON: dict[str, Callable[[str], bytes]] = {
    "nothing": lambda _: b"",
    "no-json": lambda _: b"\x80\x04\x95.",
    "null": lambda _: b"null",
    "number": lambda _: b"1",
    "list": lambda _: b"[]",
    "empty": lambda _: b"{}",
    "active": lambda _: b'{"active":true,"sub":"mallory"}',
    "nested": lambda _: b"[" * 10_000,
    "name-twice": lambda key: b'{"version":1,' + answer(key)[1:],
    "not-utf-8": lambda key: answer(key).replace(b"mallory", b"\xff"),
    "of-another-token": lambda _: answer("0" * 64),
    "of-another-release": lambda key: answer(key, version=0),
    "of-the-future": lambda key: answer(key, asked_at=NOW + 1),
    "of-the-end-of-time": lambda key: answer(key, asked_at=1e999),
    "of-no-time": lambda key: answer(key, asked_at=None),
    "of-a-true-time": lambda key: answer(key, asked_at=True),
    "claims-of-another-kind": lambda key: answer(key, claims=["sub"]),
    "claim-of-another-kind": lambda key: answer(key, claims={"sub": 1}),
    "too-large": lambda key: answer(key, padding="x" * MAX_SIZE),
}


def test_an_answer_is_read_as_it_was_written() -> None:
    """The corpus below is refused for what is wrong with it, and for nothing else."""
    assert decode(answer(KEY), KEY, NOW) == Answer(claims("mallory"), NOW)


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_what_is_no_answer_of_ours_is_none(poison: Callable[[str], bytes]) -> None:
    assert decode(poison(KEY), KEY, NOW) is None


@given(raw=strategies.binary(max_size=100))
def test_no_bytes_are_believed(raw: bytes) -> None:
    assert decode(raw, KEY, NOW) is None


texts = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=10)
extras = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | texts,
    lambda inner: strategies.lists(inner) | strategies.dictionaries(texts, inner),
    max_leaves=10,
)
documents = strategies.fixed_dictionaries(
    {"client_id": texts, "scope": texts, "x": extras},
    optional={
        "sub": texts,
        "iss": texts,
        "aud": strategies.lists(texts),
        "exp": strategies.integers(0, 10**12) | strategies.floats(0, 1e12),
        "nbf": strategies.integers(0, 10**12),
        "iat": strategies.integers(0, 10**12),
        "token_use": texts,
        "token_type": texts,
        "cnf": strategies.just({"jkt": "x"}),
    },
)


@given(document=documents)
def test_no_claim_is_lost_or_changed(document: dict[str, object]) -> None:
    """Whatever a provider says: what is remembered is judged as what it said."""
    said = parse_claims(document)
    read = decode(encode(Answer(said, NOW), KEY) or b"", KEY, NOW)

    assert read == Answer(said, NOW)


def test_read_only_claims_can_be_written() -> None:
    said = Claims(extra=MappingProxyType({"ext": MappingProxyType({"roles": ("admin",)})}))

    assert decode(encode(Answer(said, NOW), KEY) or b"", KEY, NOW) == Answer(said, NOW)
