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


def test_values() -> None:
    """A blank counts as unset."""
    blank = read_settings(Settings, IDP_TIMEOUT="", LOG_LEVEL="  ", REQUEST_MAX_BYTES="\t")
    settings = read_settings(Settings, AUDIENCE=" a , b,,c ", LOG_LEVEL="debug", idp_timeout="3")

    assert (blank.idp_timeout, blank.clock_leeway, blank.log_level) == (2, 10, "INFO")
    assert (blank.request_max_bytes, blank.resource_url) == (1_048_576, None)
    assert (blank.allowed_client_ids, blank.accept_any_audience) == (frozenset(), False)
    assert settings.audience == {"a", "b", "c"}
    assert (settings.log_level, settings.idp_timeout) == ("DEBUG", 3)


WRONG = {
    "IDP_TIMEOUT": ["0", "31", "two"],
    "REQUEST_MAX_BYTES": ["0", "1 MiB"],
    "CLOCK_LEEWAY": ["-1", "61"],
    "LOG_LEVEL": ["loud"],
    "AUDIENCE": [" , "],
    "ALLOWED_CLIENT_IDS": [","],
    "ACCEPT_ANY_AUDIENCE": ["perhaps"],
    "RESOURCE_URL": ["widgets.example", "http://widgets.example"],
    "CORS_ORIGINS": ["*", "app.example", "https://app.example/", "https://a.b,ftp://b"],
}
NUMBERS = [name for name, f in WithTeam.model_fields.items() if f.annotation in (int, float)]
NO_NUMBERS = {name.upper(): ["nan", "inf", "hunter2"] for name in NUMBERS}


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


def test_all_problems_are_reported() -> None:
    """Those of the fields first. Without any, the contradictions."""
    contradictions = {"GREETING": "contradiction", "ACCEPT_ANY_AUDIENCE": "true"}
    wrong = {"IDP_TIMEOUT": "0", "LOG_LEVEL": "loud", "CLOCK_LEEWAY": "x"}
    for variables, named in ((contradictions | wrong, wrong), (contradictions, contradictions)):
        assert {each.split()[0] for each in problems(WithTeam, **variables)} == named.keys()


def test_audience_is_required() -> None:
    (sentence,) = problems(Settings, AUDIENCE="")

    assert sentence.startswith("AUDIENCE is missing: set it or ALLOWED_CLIENT_IDS")
    assert read_settings(Settings, AUDIENCE="", ACCEPT_ANY_AUDIENCE="true").accept_any_audience
    assert read_settings(Settings, AUDIENCE="", ALLOWED_CLIENT_IDS="site").allowed_client_ids


PRIVATE = "localhost provider id.prod.svc id.prod.svc.cluster.local 127.0.0.1 10.1.2.3 ::1 fd00::1"
PUBLIC = "example.com a.localhost.com notlocal.com 8.8.8.8 169.254.169.254 2001:db8::1 134744072"


def test_private_hosts() -> None:
    """Only those are called without TLS."""
    assert [host for host in f"{PRIVATE} {PUBLIC}".split() if is_private(host)] == PRIVATE.split()


WRONG_URLS = {
    "http://issuer.example.com": "sends tokens over a public network",
    "provider:5003/answer": "is not a URL",
    "http:///answer": "is not a URL",
    "https://id.example.com:65536/": "is not a URL",
    "https://[::1/": "is not a URL",
    "https://user:pass@id.example.com/": "carries credentials",
    "https://id.example.com/?a=b": "carries a query",
    "https://id.example.com/#a": "carries a query or a fragment",
    "https://id.example.com/a b": "holds a space",
}


@pytest.mark.parametrize(("url", "wrong"), WRONG_URLS.items())
def test_wrong_url_is_explained(url: str, wrong: str) -> None:
    (sentence,) = problems(Settings, **{ISSUER: url})

    assert sentence.startswith(f"{ISSUER} {wrong}")


def test_environment_wins_over_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secrets").mkdir()
    (tmp_path / ".env").write_text("IDP_TIMEOUT=3\nCLOCK_LEEWAY=4\nOTHER=1\n# comment\n")
    for name in ("IDP_TIMEOUT", "CLOCK_LEEWAY", "request_max_bytes"):
        (tmp_path / "secrets" / name).write_text("5\n")
    unused = read_settings(Settings, CLOCK_LEEWAY="", REQUEST_MAX_BYTES="6")
    settings = read_settings(Settings, CLOCK_LEEWAY="", SECRETS_DIR="secrets")

    assert (unused.clock_leeway, unused.request_max_bytes) == (4, 6)
    assert (settings.idp_timeout, settings.clock_leeway, settings.request_max_bytes) == (30, 4, 5)


def test_route_reads_a_team_setting(provider: Provider, clock: Clock) -> None:
    from app.main import create_app

    settings = read_settings(WithTeam, GREETING="welcome")
    app = create_app(settings, transport=httpx.ASGITransport(provider), clock=clock)

    @app.get("/greeting")
    async def greet(request: Request) -> dict[str, str]:
        return {"greeting": request.state.settings.greeting}

    with TestClient(app) as client:
        assert client.get("/greeting").json() == {"greeting": "welcome"}
