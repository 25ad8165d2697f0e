"""Settings: what the environment may hold, and how a wrong value is reported."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import Request
from pydantic import Field
from starlette.testclient import TestClient

from app.environment import is_private
from app.settings import Settings
from app.team_settings import TeamSettings
from dev.provider import Provider
from tests.callers import Clock
from tests.conftest import ENVIRON, problems, read_settings

ISSUER = next(name for name in ENVIRON if name.endswith("_ISSUER"))


class Team(TeamSettings):
    """What a team may write into `app/team_settings.py`."""

    greeting: str = Field("hello", description="a greeting")
    pause: float = 1

    def contradictions(self) -> Iterator[str]:
        if self.greeting == "contradiction":
            yield "GREETING contradicts itself."


class WithTeam(Team, Settings):
    """The settings of a service with settings of its own."""


def test_defaults() -> None:
    settings = read_settings(Settings, IDP_TIMEOUT="")

    assert settings.idp_timeout == 2
    assert settings.request_max_bytes == 1_048_576
    assert settings.resource_url is None
    assert settings.log_level == "INFO"
    assert settings.clock_leeway == 10
    assert settings.allowed_client_ids == frozenset()
    assert settings.accept_any_audience is False


def test_values_are_parsed() -> None:
    settings = read_settings(Settings, AUDIENCE=" a , b,,c ", LOG_LEVEL="debug", idp_timeout="3")

    assert settings.audience == {"a", "b", "c"}
    assert settings.log_level == "DEBUG"


def test_blank_means_unset() -> None:
    settings = read_settings(Settings, IDP_TIMEOUT="  ", LOG_LEVEL="", REQUEST_MAX_BYTES="\t")

    assert (settings.idp_timeout, settings.log_level) == (2, "INFO")
    assert settings.request_max_bytes == 1_048_576


WRONG = {
    "IDP_TIMEOUT": ["0", "-1", "31", "two", "1e400"],
    "REQUEST_MAX_BYTES": ["0", "-1", "1.5", "1 MiB"],
    "CLOCK_LEEWAY": ["-1", "61"],
    "LOG_LEVEL": ["loud"],
    "AUDIENCE": [",", " , "],
    "ALLOWED_CLIENT_IDS": [","],
    "ACCEPT_ANY_AUDIENCE": ["perhaps"],
    "RESOURCE_URL": ["widgets.example", "http://widgets.example"],
}
NO_NUMBERS = {
    name.upper(): ["nan", "inf", "hunter2"]
    for name, field in WithTeam.model_fields.items()
    if field.annotation in (int, float)
}


@pytest.mark.parametrize(
    ("variable", "value"),
    [(name, one) for table in (WRONG, NO_NUMBERS) for name in table for one in table[name]],
)
def test_wrong_value_is_explained(variable: str, value: str) -> None:
    """Without the value: it may be a secret that was pasted into the wrong variable."""
    (sentence,) = problems(WithTeam, **{variable: value})

    assert sentence.startswith(f"{variable} ")
    assert ": set " in sentence
    assert "hunter2" not in sentence


def test_all_fields_are_reported() -> None:
    wrong = {"IDP_TIMEOUT": "0", "LOG_LEVEL": "loud", "CLOCK_LEEWAY": "x"}
    sentences = problems(Settings, **wrong, ACCEPT_ANY_AUDIENCE="true")

    assert {sentence.split()[0] for sentence in sentences} == wrong.keys()


def test_all_contradictions_are_reported() -> None:
    sentences = problems(WithTeam, GREETING="contradiction", ACCEPT_ANY_AUDIENCE="true")

    assert [sentence.split()[0] for sentence in sentences] == ["GREETING", "ACCEPT_ANY_AUDIENCE"]


def test_audience_is_required() -> None:
    (sentence,) = problems(Settings, AUDIENCE="")

    assert sentence.startswith("AUDIENCE is missing: set it or ALLOWED_CLIENT_IDS")
    assert read_settings(Settings, AUDIENCE="", ACCEPT_ANY_AUDIENCE="true").accept_any_audience
    assert read_settings(Settings, AUDIENCE="", ALLOWED_CLIENT_IDS="site").allowed_client_ids


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
def test_private_host(host: str) -> None:
    assert is_private(host)


@pytest.mark.parametrize("host", PUBLIC.split())
def test_public_host(host: str) -> None:
    assert not is_private(host)


WRONG_URLS = {
    "public http": ("http://issuer.example.com", "sends tokens over a public network"),
    "public ipv6 http": ("http://[::ffff:8.8.8.8]/", "sends tokens over a public network"),
    "no scheme": ("provider:5003/answer", "is not a URL"),
    "other scheme": ("ftp://provider/", "is not a URL"),
    "no host": ("http:///answer", "is not a URL"),
    "port too high": ("https://id.example.com:65536/", "is not a URL"),
    "port zero": ("https://id.example.com:0/", "is not a URL"),
    "brackets": ("https://[::1/", "is not a URL"),
    "no address": ("https://300.1.1.1", "is not a URL"),
    "credentials": ("https://user:pass@id.example.com/", "carries credentials"),
    "query": ("https://id.example.com/?a=b", "carries a query"),
    "empty query": ("https://id.example.com/?", "carries a query"),
    "fragment": ("https://id.example.com/#a", "carries a query or a fragment"),
    "blank": ("https://id.example.com/a b", "holds a space"),
    "newline": ("https://id.example.com/a\nb", "holds a space"),
    "not ascii": ("https://ïd.example.com/", "holds a space or a character"),
}


@pytest.mark.parametrize(("url", "wrong"), WRONG_URLS.values(), ids=WRONG_URLS)
def test_wrong_url_is_explained(url: str, wrong: str) -> None:
    (sentence,) = problems(Settings, **{ISSUER: url})

    assert sentence.startswith(f"{ISSUER} {wrong}")


@pytest.mark.parametrize("url", ["https://id.example.com:65535/a@b", "http://[fd00::1]:8080"])
def test_url_is_kept_as_it_is(url: str) -> None:
    assert read_settings(Settings, **{ISSUER: url}).issuer == url


def test_environment_wins_over_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    Path(".env").write_text("IDP_TIMEOUT=3\nCLOCK_LEEWAY=4\nOTHER=1\n# comment\n")
    for name in ("IDP_TIMEOUT", "CLOCK_LEEWAY", "request_max_bytes"):
        (secrets / name).write_text("5\n")
    unused = read_settings(Settings, CLOCK_LEEWAY="", REQUEST_MAX_BYTES="6")
    settings = read_settings(Settings, CLOCK_LEEWAY="", SECRETS_DIR=str(secrets))

    assert (unused.clock_leeway, unused.request_max_bytes) == (4, 6)
    assert (settings.idp_timeout, settings.clock_leeway, settings.request_max_bytes) == (30, 4, 5)


def test_unreadable_file_is_explained(tmp_path: Path) -> None:
    assert problems(Settings, SECRETS_DIR=str(tmp_path / "none"))[0].startswith("SECRETS_DIR is no")

    (tmp_path / "AUDIENCE").write_bytes(b"\xff")
    assert problems(Settings, AUDIENCE="", SECRETS_DIR=str(tmp_path))[0].startswith("The settings")


def test_route_reads_a_team_setting(provider: Provider, clock: Clock) -> None:
    from app.main import create_app

    settings = read_settings(WithTeam, GREETING="welcome")
    app = create_app(settings, transport=httpx.ASGITransport(provider), clock=clock)

    @app.get("/greeting")
    async def greet(request: Request) -> dict[str, str]:
        return {"greeting": request.state.settings.greeting}

    with TestClient(app) as client:
        assert client.get("/greeting").json() == {"greeting": "welcome"}
