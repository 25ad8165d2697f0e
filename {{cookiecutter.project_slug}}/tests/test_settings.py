"""What the environment may say, and what is said when it does not."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.auth.verifier import ProviderSettings
from app.services import AppSettings
from app.settings import InvalidSettings, Settings, environment, is_private
from tests.conftest import ENVIRON

ISSUER = str(ProviderSettings.model_fields["issuer"].alias)


def problems(**variables: str) -> list[str]:
    """Return the sentences about a wrong environment, one a problem."""
    with pytest.raises(InvalidSettings) as refusal:
        AppSettings.read({**ENVIRON, **variables})
    return str(refusal.value).splitlines()


def test_defaults() -> None:
    settings = AppSettings.read({**ENVIRON, "IDP_TIMEOUT": ""})

    assert settings.service.idp_timeout == 2
    assert settings.service.request_max_bytes == 1_048_576
    assert settings.service.log_level == "INFO"
    assert settings.policy.clock_leeway == 10
    assert settings.policy.allowed_client_ids == frozenset()
    assert settings.policy.accept_any_audience is False


def test_lists_are_separated_by_commas() -> None:
    settings = AppSettings.read({**ENVIRON, "AUDIENCE": " a , b,,c "})

    assert settings.policy.audience == {"a", "b", "c"}


def test_blank_means_unset() -> None:
    settings = AppSettings.read({**ENVIRON, "IDP_TIMEOUT": "  ", "LOG_LEVEL": ""})

    assert settings.service.idp_timeout == 2
    assert settings.service.log_level == "INFO"


WRONG = {
    "IDP_TIMEOUT": ["0", "-1", "31", "two", "nan", "inf", "1e400"],
    "REQUEST_MAX_BYTES": ["0", "-1", "1.5", "1 MiB"],
    "CLOCK_LEEWAY": ["-1", "61", "nan"],
    "LOG_LEVEL": ["loud"],
    "AUDIENCE": [",", " , "],
    "ALLOWED_CLIENT_IDS": [","],
    "ACCEPT_ANY_AUDIENCE": ["perhaps"],
}


@pytest.mark.parametrize(
    ("variable", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_wrong_value_is_one_sentence_with_a_way_out(variable: str, value: str) -> None:
    sentences = problems(**{variable: value})

    assert len(sentences) == 1
    assert sentences[0].startswith(f"{variable} ")
    assert f"for example {variable}=" in sentences[0]


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_number_that_is_none_is_refused_without_a_bound_too(value: str) -> None:
    """Every comparison with it is false, so a rule that uses it would be no rule."""

    class Unbounded(Settings):
        seconds: float

    with pytest.raises(ValidationError):
        Unbounded.model_validate({"seconds": value})


def test_all_problems_are_said_at_once() -> None:
    sentences = problems(IDP_TIMEOUT="0", LOG_LEVEL="loud", CLOCK_LEEWAY="x", AUDIENCE="")

    assert [sentence.split()[0] for sentence in sentences] == [
        "IDP_TIMEOUT",
        "LOG_LEVEL",
        "ACCEPT_ANY_AUDIENCE",
        "CLOCK_LEEWAY",
    ]


def test_somebody_has_to_say_whom_a_token_must_be_for() -> None:
    (sentence,) = problems(AUDIENCE="")

    assert "set AUDIENCE or ALLOWED_CLIENT_IDS" in sentence


def test_an_audience_and_any_audience_contradict_each_other() -> None:
    (sentence,) = problems(ACCEPT_ANY_AUDIENCE="true")

    assert sentence.startswith("ACCEPT_ANY_AUDIENCE contradicts AUDIENCE")


def test_a_wrong_value_is_never_repeated() -> None:
    """It may be a secret that was pasted into the wrong variable."""
    assert "hunter2" not in "".join(problems(IDP_TIMEOUT="hunter2", LOG_LEVEL="hunter2"))


PRIVATE = (
    "localhost LOCALHOST. a.localhost provider id.prod.svc id.prod.svc.cluster.local "
    "a.local a.internal a.test a.lan a.home.arpa 127.0.0.1 127.9.9.9 10.1.2.3 172.16.0.1 "
    "192.168.1.1 ::1 fd00::1 ::ffff:10.0.0.1"
)
PUBLIC = (
    "example.com a.localhost.com notlocal.com a.notlocal 8.8.8.8 172.32.0.1 169.254.169.254 "
    "2001:db8::1 ::ffff:8.8.8.8 134744072 0x08080808 8.8.2056"
)


@pytest.mark.parametrize("host", PRIVATE.split())
def test_plain_http_is_taken_inside_a_network(host: str) -> None:
    assert is_private(host)


@pytest.mark.parametrize("host", PUBLIC.split())
def test_plain_http_is_refused_on_a_public_network(host: str) -> None:
    assert not is_private(host)


def test_plain_http_is_refused_for_an_address_of_the_provider() -> None:
    (sentence,) = problems(**{ISSUER: "http://issuer.example.com"})

    assert sentence.startswith(f"{ISSUER} sends tokens over a public network in clear")


NOT_A_URL = {
    "no-scheme": "provider:5003/answer",
    "other-scheme": "ftp://provider/",
    "no-host": "http:///answer",
    "credentials": "https://user:pass@id.example.com/",
    "query": "https://id.example.com/?a=b",
    "empty-query": "https://id.example.com/?",
    "fragment": "https://id.example.com/#a",
    "blank": "https://id.example.com/a b",
    "newline": "https://id.example.com/a\nb",
    "port": "https://id.example.com:99999/",
    "port-zero": "https://id.example.com:0/",
    "brackets": "https://[::1/",
    "not-ascii": "https://ïd.example.com/",
}


@pytest.mark.parametrize("url", NOT_A_URL.values(), ids=NOT_A_URL)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    (sentence,) = problems(**{ISSUER: url})

    assert sentence.startswith(f"{ISSUER} ")


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("IDP_TIMEOUT=3\nLOG_LEVEL=debug\nAUDIENCE=${HOME}\n# comment\n")
    monkeypatch.setenv("IDP_TIMEOUT", "4")
    values = environment(dotenv)

    assert values["IDP_TIMEOUT"] == "4"
    assert values["LOG_LEVEL"] == "debug"
    assert values["AUDIENCE"] == "${HOME}"


def test_the_file_may_be_missing(tmp_path: Path) -> None:
    assert "PATH" in environment(tmp_path / ".env")
