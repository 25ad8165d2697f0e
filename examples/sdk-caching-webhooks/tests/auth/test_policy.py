"""The rules about claims: which types they have, and which values are accepted."""

from types import SimpleNamespace
from typing import cast

import pytest

from app.auth import policy
from app.auth.claims import MalformedClaims, parse_claims, parse_object
from app.auth.errors import InvalidToken
from app.auth.principal import Principal
from app.settings import Settings
from tests.callers import NOW

SETTINGS = SimpleNamespace(
    issuer="https://issuer.example",
    audience={"widgets", "gadgets"},
    allowed_client_ids={"web", "batch"},
    clock_leeway=10,
)
CLAIMS = {
    "sub": "anna",
    "client_id": "web",
    "scope": "read:widgets",
    "aud": ["widgets", "billing"],
    "iss": "https://issuer.example",
    "exp": NOW + 60,
    "nbf": NOW,
    "iat": NOW,
    "token_use": "access_token",
}
Document = dict[str, object]


def admit(**changes: object) -> Principal:
    """Apply the policy to good claims with changes. `None` leaves a claim out."""
    return policy.admit(parse_claims({**CLAIMS, **changes}), cast(Settings, SETTINGS), NOW)


def test_good_claims() -> None:
    principal = admit()

    assert (principal.subject, principal.client_id) == ("anna", "web")
    assert principal.scopes == {"read:widgets"}
    assert principal.audience == {"widgets", "billing"}
    assert (principal.issuer, principal.expires_at) == ("https://issuer.example", NOW + 60)
    assert not principal.is_machine


REFUSED: dict[str, tuple[str, Document]] = {
    "refresh token": ("token_use", {"token_use": "refresh_token"}),
    "ID token that is called Bearer": ("token_use", {"token_use": "id", "token_type": "Bearer"}),
    "DPoP token": ("token_type", {"token_type": "DPoP"}),
    "no use, other type": ("token_type", {"token_use": None, "token_type": "mac"}),
    "neither use nor type": ("token_type", {"token_use": None}),
    "bound to a key": ("bound", {"cnf": ["x"]}),
    "bound by false": ("bound", {"cnf": False}),
    "expires on this second": ("expired", {"exp": NOW - 10}),
    "not valid yet": ("not_before", {"nbf": NOW + 10.001}),
    "issued in the future": ("issued_at", {"iat": NOW + 10.001}),
    "issuer with a slash more": ("issuer", {"iss": "https://issuer.example/"}),
    "issuer in other case": ("issuer", {"iss": "https://ISSUER.example"}),
    "audience of another service": ("audience", {"aud": "billing"}),
    "audience with ours as a prefix": ("audience", {"aud": ["widgets-admin"]}),
    "no audience": ("audience", {"aud": []}),
    "other client": ("client", {"client_id": "other"}),
    "no client": ("client", {"client_id": None}),
    "blank subject": ("subject", {"sub": "  "}),
}


@pytest.mark.parametrize(("reason", "changes"), REFUSED.values(), ids=REFUSED)
def test_refused(reason: str, changes: Document) -> None:
    """The reason is for the log. The caller sees the same refusal every time."""
    with pytest.raises(InvalidToken) as refusal:
        admit(**changes)

    assert refusal.value.reason == reason


ACCEPTED: dict[str, Document] = {
    "type in other case": {"token_use": None, "token_type": "BEARER"},
    "no issuer": {"iss": None},
    "last second of the leeway": {"exp": NOW - 9.999},
    "times within the leeway": {"nbf": NOW + 10, "iat": NOW + 10},
    "no times": {"exp": None, "nbf": None, "iat": None},
}


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(changes: Document) -> None:
    assert admit(**changes).subject == "anna"


@pytest.mark.parametrize("subject", ["web", None])
def test_machine(subject: str | None) -> None:
    """A client that acts for itself is its own subject, or has none."""
    principal = admit(sub=subject)

    assert (principal.subject, principal.is_machine) == ("web", True)


SCOPES: dict[str, Document] = {
    "text": {"scope": "a b"},
    "list in scp": {"scp": ["a", "b"]},
    "text with two spaces": {"scp": "a  b "},
    "scp comes first": {"scp": ["a", "b"], "scope": "a admin"},
    "null counts as absent": {"scp": None, "scope": "a b"},
}


@pytest.mark.parametrize("document", SCOPES.values(), ids=SCOPES)
def test_scopes(document: Document) -> None:
    assert parse_claims(document).scopes == {"a", "b"}


def test_only_a_space_separates_scopes() -> None:
    assert parse_claims({"scope": "a\tb\u00a0c"}).scopes == {"a\tb\u00a0c"}


@pytest.mark.parametrize("name", [*CLAIMS, "scp", "cnf", "token_type", "team"])
def test_null_claim(name: str) -> None:
    """It counts as absent."""
    assert parse_claims({name: None}) == parse_claims({})


MALFORMED: dict[str, list[object]] = {
    "sub": [["s3cret"], 7, True],
    "client_id": [{"s3cret": 1}],
    "aud": [7, [7], {}],
    "scp": [7, ["a", 7]],
    "exp": [True, "1800000000", 10**400],
    "iat": [[]],
    "token_use": [1],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in MALFORMED.items() for value in values]
)
def test_claim_of_another_type(name: str, value: object) -> None:
    """The exception names the claim and does not quote its value."""
    with pytest.raises(MalformedClaims) as refusal:
        parse_claims({name: value})

    assert refusal.value.args[0][0] == name
    assert "s3cret" not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_infinite_number() -> None:
    """JSON has `1e400`. A route that returns it would fail."""
    with pytest.raises(MalformedClaims):
        parse_claims(parse_object(b'{"ext": [{"a": -1e400}]}'))


def test_further_claims_are_read_only() -> None:
    claims = admit(team={"id": 1}, roles=["admin"]).claims

    assert claims == {"team": {"id": 1}, "roles": ("admin",)}
    with pytest.raises(TypeError):
        claims["role"] = "admin"  # type: ignore[index]
    with pytest.raises(TypeError):
        claims["team"]["id"] = 2  # type: ignore[index]


NOT_JSON = {
    "cut off": b'{"secret": "s3cret"',
    "a list": b"[]",
    "a name twice": b'{"a": {"b": 1, "b": 2} }',
    "not a number": b'{"a": NaN}',
    "half a surrogate pair": b'{"a": "\\ud800"}',
    "not UTF-8": b'{"a": "\xff"}',
    "too deep": b'{"a": ' + b"[" * 5000,
}


@pytest.mark.parametrize("raw", NOT_JSON.values(), ids=NOT_JSON)
def test_document_is_refused(raw: bytes) -> None:
    """The exception hides that of the parser, which quotes the document."""
    with pytest.raises(MalformedClaims) as refusal:
        parse_object(raw)

    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
    assert "s3cret" not in str(refusal.value)
