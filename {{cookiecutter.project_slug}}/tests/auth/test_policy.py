"""The rules about claims, one by one, as the functions that hold them."""

import json

import pytest

from app.auth.claims import Claims, MalformedClaims, parse_claims, parse_object
from app.auth.errors import InvalidToken
from app.auth.policy import Policy
from tests.callers import NOW

POLICY = Policy(
    issuer="https://issuer.example",
    audience=frozenset({"widgets", "gadgets"}),
    client_ids=frozenset({"web", "batch"}),
    leeway=10,
)
CLAIMS = Claims(
    subject="anna",
    client_id="web",
    scopes=frozenset({"read:widgets"}),
    audience=frozenset({"widgets", "billing"}),
    issuer="https://issuer.example",
    expires_at=NOW + 60,
    not_before=NOW,
    issued_at=NOW,
    token_use="access_token",
)
WRONG = {
    "token_use": {"token_use": "id_token"},
    "token_type": {"token_type": "DPoP"},
    "bound": {"bound": True},
    "expired": {"expires_at": NOW - 10},
    "not_before": {"not_before": NOW + 10.001},
    "issued_at": {"issued_at": NOW + 10.001},
    "issuer": {"issuer": "https://issuer.example/"},
    "audience": {"audience": frozenset({"billing"})},
    "client": {"client_id": "other"},
    "subject": {"subject": "  "},
}


def test_good_claims_become_a_principal() -> None:
    principal = POLICY.admit(CLAIMS, NOW)

    assert principal.subject == "anna"
    assert principal.client_id == "web"
    assert principal.scopes == {"read:widgets"}
    assert principal.audience == {"widgets", "billing"}
    assert principal.issuer == "https://issuer.example"
    assert principal.expires_at == NOW + 60
    assert not principal.is_machine


@pytest.mark.parametrize(("reason", "change"), WRONG.items(), ids=WRONG)
def test_one_wrong_claim_is_refused_for_its_reason(reason: str, change: dict[str, object]) -> None:
    """The reason is for the log; the caller sees the same refusal every time."""
    with pytest.raises(InvalidToken) as refusal:
        POLICY.admit(CLAIMS._replace(**change), NOW)  # type: ignore[arg-type]

    assert refusal.value.reason == reason


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER"])
def test_the_type_of_a_token_has_no_case(token_type: str) -> None:
    """RFC 6749, section 5.1: and it decides where no `token_use` is sent."""
    POLICY.admit(CLAIMS._replace(token_use=None, token_type=token_type), NOW)


def test_an_answer_that_names_no_issuer_is_of_the_one_that_was_asked() -> None:
    assert POLICY.admit(CLAIMS._replace(issuer=None), NOW).issuer is None


@pytest.mark.parametrize("kind", [(None, None), (None, "mac"), ("id_token", "Bearer")])
def test_a_token_of_another_kind_is_refused(kind: tuple[str | None, str | None]) -> None:
    """Servers that send no `token_use` must say `Bearer`, and none may contradict itself."""
    with pytest.raises(InvalidToken):
        POLICY.admit(CLAIMS._replace(token_use=kind[0], token_type=kind[1]), NOW)


NULLS = ["sub", "client_id", "scope", "scp", "aud", "iss", "exp", "nbf", "iat", "cnf", "team"]


@pytest.mark.parametrize("name", [*NULLS, "token_use", "token_type"])
def test_a_null_claim_counts_as_absent(name: str) -> None:
    assert parse_claims({name: None}) == parse_claims({})


@pytest.mark.parametrize("binding", [{}, False, {"unknown": 1}])
def test_a_token_is_bound_whatever_the_binding_says(binding: object) -> None:
    """D1: nothing here can check a binding, so none of them may be overlooked."""
    assert parse_claims({"cnf": binding}).bound


def test_a_client_that_acts_for_itself_is_a_machine() -> None:
    named = POLICY.admit(CLAIMS._replace(subject="web"), NOW)
    unnamed = POLICY.admit(CLAIMS._replace(subject=None), NOW)

    assert (named.subject, named.is_machine) == ("web", True)
    assert (unnamed.subject, unnamed.is_machine) == ("web", True)


def test_audience_and_client_are_both_asked_when_both_are_set() -> None:
    with pytest.raises(InvalidToken):
        POLICY.admit(CLAIMS._replace(audience=frozenset()), NOW)
    with pytest.raises(InvalidToken):
        POLICY.admit(CLAIMS._replace(client_id=None), NOW)


def test_scopes_come_as_text_or_as_a_list() -> None:
    documents: list[dict[str, object]] = [
        {"scope": "a b"},
        {"scope": ["a", "b"]},
        {"scp": ["a", "b"]},
        {"scp": "a  b "},
    ]

    assert {parse_claims(document).scopes for document in documents} == {frozenset({"a", "b"})}


def test_the_list_of_scopes_counts_where_both_are_sent() -> None:
    """A promoted custom claim could be called `scope`."""
    assert parse_claims({"scp": ["a"], "scope": "a admin"}).scopes == {"a"}


def test_the_rest_of_the_claims_cannot_be_changed() -> None:
    claims = parse_claims({"sub": "anna", "team": {"id": 1}, "roles": ["admin"]})

    assert claims.extra == {"team": {"id": 1}, "roles": ("admin",)}
    with pytest.raises(TypeError):
        claims.extra["team"]["id"] = 2  # type: ignore[index]


def test_a_parser_error_does_not_quote_the_document() -> None:
    with pytest.raises(MalformedClaims) as refusal:
        parse_object(b'{"secret": "s3cret"')

    assert refusal.value.__suppress_context__
    assert "s3cret" not in repr(refusal.value)


def test_no_claim_can_be_added_to_the_rest() -> None:
    claims = parse_claims({"sub": "a", "role": "reader"})

    with pytest.raises(TypeError):
        claims.extra["role"] = "admin"  # type: ignore[index]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused_everywhere(number: str) -> None:
    """A response that repeats a claim could not be written."""
    with pytest.raises(MalformedClaims):
        parse_object(json.dumps({"ext": [float(number)]}).encode())


def test_a_parser_error_hides_the_exception_of_the_parser() -> None:
    """That one holds the whole document, and whatever prints a traceback could print it."""
    with pytest.raises(MalformedClaims) as refusal:
        parse_object(b'{"secret": "s3cret"')

    assert refusal.value.__suppress_context__


def test_a_refused_claim_is_named_and_not_quoted() -> None:
    with pytest.raises(MalformedClaims) as refusal:
        parse_claims({"sub": ["s3cret"]})

    assert str(refusal.value) == "sub"
