"""What clients learn about getting a token (RFC 9728)."""

import pytest

from app.settings import Settings
from tests.conftest import ENVIRON, Start, problems
from tests.test_settings import ISSUER

PATH = "/.well-known/oauth-protected-resource"


def test_without_a_url_there_is_no_metadata(start: Start) -> None:
    client = start()

    assert client.get(PATH).status_code == 404
    assert "resource_metadata" not in client.get("/widgets").headers["www-authenticate"]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://widgets.example", ""),
        ("https://widgets.example/", ""),
        ("https://api.example:8443/v1/widgets", "/v1/widgets"),
        ("https://api.example:8443/v1/widgets/", "/v1/widgets/"),
    ],
)
def test_the_path_of_the_resource_is_appended(start: Start, url: str, path: str) -> None:
    metadata = start(RESOURCE_URL=url).get(PATH + path).json()

    assert metadata["resource"] == url
    assert metadata["bearer_methods_supported"] == ["header"]


def test_a_challenge_names_the_metadata(start: Start) -> None:
    client = start(RESOURCE_URL="https://api.example:8443/v1")

    challenges = [
        client.get("/widgets", headers=headers).headers["www-authenticate"]
        for headers in ({}, {"Authorization": "Bearer unknown"})
    ]

    assert [challenge.partition(", ")[2] for challenge in challenges] == [
        f'resource_metadata="https://api.example:8443{PATH}/v1"',
        f'error="invalid_token", resource_metadata="https://api.example:8443{PATH}/v1"',
    ]


def test_it_names_the_issuer_and_the_scopes_of_the_routes(start: Start) -> None:
    metadata = start(RESOURCE_URL="https://widgets.example").get(PATH).json()

    assert metadata["authorization_servers"] == [ENVIRON[ISSUER]]
    assert "write:widgets" in metadata["scopes_supported"]
    assert metadata["scopes_supported"] == sorted(set(metadata["scopes_supported"]))


@pytest.mark.parametrize(
    "url",
    ["widgets.example", "http://widgets.example", "https://widgets.example/?a=1", "https://a.b/#c"],
)
def test_another_url_is_refused_at_the_start(url: str) -> None:
    sentences = problems(Settings, RESOURCE_URL=url)

    assert len(sentences) == 1
    assert sentences[0].startswith("RESOURCE_URL ")
