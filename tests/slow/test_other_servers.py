"""The service beside real authorization servers of other projects, in introspection mode.

The log of the service says which rule refused a token. The tests check that it was the right one.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.project import Bake
from tests.servers import glewlwyd, oidc_provider, service
from tests.servers.assertions import assert_refused, assert_unavailable, poll, skip_where
from tests.servers.authorization_server import AUDIENCE, AuthorizationServer, StartServer
from tests.servers.oidc_provider import OidcProvider
from tests.servers.service import NO_FEATURES, Service, StartService

only_oidc_provider = pytest.mark.parametrize("start_server", ["oidc-provider"], indirect=True)
only_glewlwyd = pytest.mark.parametrize("start_server", ["glewlwyd"], indirect=True)


@pytest.fixture(scope="module", params=["oidc-provider", "glewlwyd"])
def start_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> StartServer:
    """Return how the server is started in an empty folder."""
    if request.param == "glewlwyd":
        skip_where(glewlwyd.missing())
        return glewlwyd.start
    skip_where(oidc_provider.missing())
    installed = tmp_path_factory.mktemp("installed") / "oidc-provider"
    oidc_provider.install(installed)
    return partial(oidc_provider.start, installed)


@pytest.fixture(scope="module")
def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AuthorizationServer]:
    """Return the server that most tests talk to."""
    with start_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def start_service(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> StartService:
    """Return how the rendered service is started."""
    project = bake(validation_mode="introspection", **NO_FEATURES)

    def start(server: AuthorizationServer, **variables: str) -> AbstractContextManager[Service]:
        settings = {
            "HYDRA_INTROSPECT_URL": server.metadata["introspection_endpoint"],
            "HYDRA_ADMIN_USER": server.introspector.id,
            "HYDRA_ADMIN_PASS": server.introspector.secret,
            "OLYMPUS_ISSUER": server.metadata["issuer"],
            "AUDIENCE": AUDIENCE,
        }
        folder = tmp_path_factory.mktemp("service")
        return service.start(project, folder, {**settings, **variables})

    return start


@pytest.fixture(scope="module")
def caller(server: AuthorizationServer, start_service: StartService) -> Iterator[Service]:
    """Return the service that most tests call."""
    with start_service(server) as running:
        yield running


def test_the_service_is_ready(caller: Service) -> None:
    """Address and credentials are right, and the service reads the response."""
    assert caller.http.get("/health/ready").json() == {"status": "ok"}


def test_a_machine_is_accepted(caller: Service, server: AuthorizationServer) -> None:
    """Its token has no `sub`, so the subject is the client."""
    response = caller.get(server.machine_token())

    assert response.status_code == 200
    assert response.json()["user"] == server.machine.id


@only_oidc_provider
def test_a_user_is_accepted(caller: Service, server: AuthorizationServer) -> None:
    """The subject of a user's token is the user, not the client."""
    tokens = server.user_tokens()

    response = caller.get(tokens.access)

    assert response.status_code == 200
    assert response.json()["user"] == tokens.subject


def test_a_user_of_a_listed_client_is_accepted(
    server: AuthorizationServer, start_service: StartService
) -> None:
    """For tokens without an audience, `ALLOWED_CLIENT_IDS` decides."""
    tokens = server.user_tokens()
    with start_service(server, AUDIENCE="", ALLOWED_CLIENT_IDS=server.web.id) as caller:
        response = caller.get(tokens.access)

    assert response.status_code == 200
    assert response.json()["user"] == tokens.subject


def test_a_token_with_the_scope_may_write(caller: Service, server: AuthorizationServer) -> None:
    """The server lists scopes in one string."""
    assert caller.post(server.machine_token()).status_code == 201


def test_a_missing_scope_is_named(caller: Service, server: AuthorizationServer) -> None:
    """The token is valid, so the caller learns which scope it lacks."""
    response = caller.post(server.machine_token(scope="read:widgets"))

    assert response.status_code == 403
    assert response.headers["www-authenticate"].endswith(
        'error="insufficient_scope", scope="write:widgets"'
    )


def test_a_token_without_audience_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """A client that requests no audience gets a token without one."""
    assert_refused(caller, server.machine_token(audience=None), "audience")


@only_oidc_provider
def test_another_audience_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """Here the audience is a string, not a list."""
    assert_refused(caller, server.machine_token(audience=f"{AUDIENCE}.org"), "audience")


@only_oidc_provider
def test_a_token_of_another_issuer_is_refused(
    server: AuthorizationServer, start_service: StartService
) -> None:
    """The server names its issuer in every response."""
    with start_service(server, OLYMPUS_ISSUER="https://issuer.example") as caller:
        assert_refused(caller, server.machine_token(), "issuer")


@only_oidc_provider
def test_an_expired_token_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """A token is accepted until it expires."""
    token = server.machine_token(client=OidcProvider.short_lived)
    before = caller.get(token)

    poll(lambda: caller.get(token), 401)

    assert before.status_code == 200
    assert_refused(caller, token, "inactive")


def test_a_revoked_token_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """From the next call on."""
    token = server.machine_token()
    before = caller.get(token)

    server.revoke(token, server.machine)

    assert before.status_code == 200
    assert_refused(caller, token, "inactive")


def test_a_refresh_token_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """It is active, with a subject and scopes. Only its type differs from an access token's."""
    assert_refused(caller, server.user_tokens().refresh, "token_type")


def test_a_revoked_refresh_token_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """Its state is checked before its type."""
    token = server.user_tokens().refresh

    server.revoke(token, server.web)

    assert_refused(caller, token, "inactive")


@only_oidc_provider
def test_tokens_of_a_revoked_grant(caller: Service, server: AuthorizationServer) -> None:
    """The server revokes the grant when the refresh token is revoked."""
    tokens = server.user_tokens()
    before = caller.get(tokens.access)

    server.revoke(tokens.refresh, server.web)

    assert before.status_code == 200
    assert_refused(caller, tokens.access, "inactive")


def test_garbage_is_refused(caller: Service) -> None:
    """The server did not issue it."""
    assert_refused(caller, "garbage", "inactive")


@only_glewlwyd
def test_an_altered_token_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """In this mode the server verifies the signature."""
    head, body, signature = server.machine_token().split(".")

    assert_refused(caller, f"{head}.{body}.{signature[::-1]}", "inactive")


@only_oidc_provider
def test_a_refused_introspection_is_an_outage(caller: Service) -> None:
    """The server responds with 400 to anything like a JWT, which says nothing about the token."""
    response = caller.get("eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl")

    assert_unavailable(response)


def test_wrong_credentials_of_the_service_are_an_outage(
    server: AuthorizationServer, start_service: StartService
) -> None:
    """They say nothing about the token, and an operator has to fix them."""
    with start_service(server, HYDRA_ADMIN_USER="another") as caller:
        response = caller.get(server.machine_token())
        ready = caller.http.get("/health/ready")

    assert_unavailable(response)
    assert ready.status_code == 503
    assert '"level": "error", "logger": "app.auth"' in caller.process.output()


def test_a_killed_server_is_an_outage(
    start_server: StartServer, start_service: StartService, tmp_path: Path
) -> None:
    """It is killed while the service has an open connection to it."""
    with start_server(tmp_path) as server, start_service(server) as caller:
        token = server.machine_token()
        before = caller.get(token)

        server.process.kill()
        response = caller.get(token)
        ready = caller.http.get("/health/ready")

    assert before.status_code == 200
    assert_unavailable(response)
    assert ready.status_code == 503
    assert ready.json() == {"status": "unavailable", "missing": ["identity provider"]}
