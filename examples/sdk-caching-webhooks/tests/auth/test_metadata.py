"""What clients learn about getting a token (RFC 9728)."""

from typing import Annotated

import pytest
from fastapi import FastAPI, Security

from app.auth import Principal, bearer
from tests.conftest import ENVIRON, Start
from tests.test_settings import ISSUER

PATH = "/.well-known/oauth-protected-resource"


def test_no_metadata_without_a_url(start: Start) -> None:
    client = start()

    assert client.get(PATH).status_code == 404
    assert "resource_metadata" not in client.get("/probe").headers["www-authenticate"]


def add_route(app: FastAPI) -> None:
    @app.get("/report")
    async def report(
        caller: Annotated[Principal, Security(bearer, scopes=["read:b", "read:a"])],
    ) -> str:
        return caller.subject


URLS = {
    "https://api.example": PATH,
    "https://api.example/": PATH,
    "https://api.example:8443/v1/widgets": PATH + "/v1/widgets",
    "https://api.example:8443/v1/widgets/": PATH + "/v1/widgets/",
}


@pytest.mark.parametrize(("url", "path"), URLS.items())
def test_metadata(start: Start, url: str, path: str) -> None:
    """The path of the resource is appended."""
    metadata = start(prepare=add_route, RESOURCE_URL=url).get(path).json()

    assert metadata["resource"] == url
    assert metadata["authorization_servers"] == [ENVIRON[ISSUER]]
    assert metadata["bearer_methods_supported"] == ["header"]
    assert {"read:a", "read:b"} <= set(metadata["scopes_supported"])
    assert metadata["scopes_supported"] == sorted(set(metadata["scopes_supported"]))


def test_challenges_name_the_metadata(start: Start) -> None:
    client = start(RESOURCE_URL="https://api.example:8443/v1")
    url = f'resource_metadata="https://api.example:8443{PATH}/v1"'
    sent: list[dict[str, str]] = [{}, {"Authorization": "Bearer unknown"}]
    challenges = [client.get("/probe", headers=each).headers["www-authenticate"] for each in sent]

    assert [challenge.partition(", ")[2] for challenge in challenges] == [
        url,
        f'error="invalid_token", {url}',
    ]
