"""Further values of settings."""

from pathlib import Path
from typing import Self

import pytest
from pydantic import Field, model_validator

from app.environment import FeatureSettings, is_private
from app.settings import Settings
from tests.conftest import problems, read_settings
from tests.test_settings import ISSUER, WithTeam

WRONG = {
    "IDP_TIMEOUT": ["-1", "1e400"],
    "REQUEST_MAX_BYTES": ["-1", "1.5"],
    "AUDIENCE": [","],
    "RESOURCE_URL": ["https://widgets.example/?a=1", "https://a.b/#c"],
    "CORS_ORIGINS": ["null", "https://", "https://a/b", "https://a@b", "https://A.b", "http://a:"],
}


@pytest.mark.parametrize(
    ("variable", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_wrong_value_is_explained(variable: str, value: str) -> None:
    (sentence,) = problems(WithTeam, **{variable: value})

    assert sentence.startswith(f"{variable} ")


PRIVATE = (
    "LOCALHOST. a.localhost a.local a.internal a.test a.lan a.home.arpa "
    "127.9.9.9 172.16.0.1 192.168.1.1 ::ffff:10.0.0.1"
)
PUBLIC = "a.notlocal 172.32.0.1 ::ffff:8.8.8.8 0x08080808 8.8.2056"


@pytest.mark.parametrize("host", PRIVATE.split())
def test_private_host(host: str) -> None:
    assert is_private(host)


@pytest.mark.parametrize("host", PUBLIC.split())
def test_public_host(host: str) -> None:
    assert not is_private(host)


WRONG_URLS = {
    "http://[::ffff:8.8.8.8]/": "sends tokens over a public network",
    "ftp://provider/": "is not a URL",
    "https://id.example.com:0/": "is not a URL",
    "https://300.1.1.1": "is not a URL",
    "https://id.example.com/?": "carries a query",
    "https://id.example.com/a\nb": "holds a space",
    "https://ïd.example.com/": "holds a space or a character",
}


@pytest.mark.parametrize(("url", "wrong"), WRONG_URLS.items())
def test_wrong_url_is_explained(url: str, wrong: str) -> None:
    (sentence,) = problems(Settings, **{ISSUER: url})

    assert sentence.startswith(f"{ISSUER} {wrong}")


def test_unreadable_file_is_explained(tmp_path: Path) -> None:
    assert problems(Settings, SECRETS_DIR=str(tmp_path / "none"))[0].startswith("SECRETS_DIR is no")

    (tmp_path / "AUDIENCE").write_bytes(b"\xff")
    assert problems(Settings, AUDIENCE="", SECRETS_DIR=str(tmp_path))[0].startswith("The settings")


@pytest.mark.parametrize("url", ["https://id.example.com:65535/a@b", "http://[fd00::1]:8080"])
def test_url_is_kept_as_it_is(url: str) -> None:
    assert read_settings(Settings, **{ISSUER: url}).issuer == url


@pytest.mark.parametrize("origin", ["http://localhost:80", "http://[::1]", "https://xn--d-eha.eu"])
def test_origin(origin: str) -> None:
    assert read_settings(Settings, CORS_ORIGINS=origin).cors_origins == {origin}


class OfTeam(FeatureSettings):
    """Settings with what pydantic offers beyond fields."""

    url: str = Field(validation_alias="INVOICE_URL")
    user: str = ""
    password: str = ""

    @model_validator(mode="after")
    def go_together(self) -> Self:
        if self.user and not self.password:
            raise ValueError("USER needs PASSWORD.")
        return self


def test_aliases_and_validators_of_a_team() -> None:
    """Their problems are sentences too, and no traceback."""
    missing = problems(OfTeam)
    contradiction = problems(OfTeam, INVOICE_URL="x", USER="anna", PASSWORD="")

    assert missing == ["INVOICE_URL is missing: set a value."]
    assert contradiction == ["USER needs PASSWORD."]
