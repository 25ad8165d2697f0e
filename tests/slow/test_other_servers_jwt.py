"""The service beside real authorization servers of other projects, in jwt mode.

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

OIDC_PROVIDER = ["oidc-provider-RS256", "oidc-provider-ES256"]
GLEWLWYD = ["glewlwyd-RS256", "glewlwyd-ES256"]

only_oidc_provider = pytest.mark.parametrize("start_server", OIDC_PROVIDER, indirect=True)
only_glewlwyd = pytest.mark.parametrize("start_server", GLEWLWYD, indirect=True)
once = pytest.mark.parametrize("start_server", OIDC_PROVIDER[:1], indirect=True)
"""For tests that depend neither on the algorithm nor on the server."""


@pytest.fixture(scope="module", params=[*OIDC_PROVIDER, *GLEWLWYD])
def start_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> StartServer:
    """Return how the server is started in an empty folder, with JWTs of one algorithm."""
    name, _, algorithm = request.param.rpartition("-")
    if name == "glewlwyd":
        skip_where(glewlwyd.missing())
        return partial(glewlwyd.start, algorithm=algorithm)
    skip_where(oidc_provider.missing())
    installed = tmp_path_factory.mktemp("installed") / "oidc-provider"
    oidc_provider.install(installed)
    return partial(oidc_provider.start, installed, algorithm=algorithm)


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
    project = bake(validation_mode="jwt", **NO_FEATURES)

    def start(server: AuthorizationServer, **variables: str) -> AbstractContextManager[Service]:
        settings = {**service.jwt_settings(server), **variables}
        return service.start(project, tmp_path_factory.mktemp("service"), settings)

    return start


@pytest.fixture(scope="module")
def caller(server: AuthorizationServer, start_service: StartService) -> Iterator[Service]:
    """Return the service that most tests call."""
    with start_service(server) as running:
        yield running


def test_the_service_is_ready(caller: Service) -> None:
    """It fetched the server's keys, and can use at least one."""
    assert caller.http.get("/health/ready").json() == {"status": "ok"}


@only_oidc_provider
def test_keys_of_other_kinds_are_left_out(caller: Service) -> None:
    """The other keys are used, and the log says why these are not."""
    caller.process.wait_for(r"keys replaced usable=2\b")

    assert "key left out kid='ed25519-1' reason=EdDSA is not supported" in caller.process.output()


def test_a_machine_is_accepted(caller: Service, server: AuthorizationServer) -> None:
    """The subject of its token is the client."""
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


@only_glewlwyd
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


@only_oidc_provider
def test_a_token_without_audience_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """Without an audience the server issues an opaque token."""
    assert_refused(caller, server.machine_token(audience=None), "not_compact")


@only_glewlwyd
def test_scopes_as_audience_are_refused(caller: Service, server: AuthorizationServer) -> None:
    """If a client requests no audience, this server writes the scopes there."""
    assert_refused(caller, server.machine_token(audience=None), "audience")


@only_oidc_provider
def test_another_audience_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """Here the audience is a string, not a list."""
    assert_refused(caller, server.machine_token(audience=f"{AUDIENCE}.org"), "audience")


@once
def test_a_token_of_another_issuer_is_refused(
    server: AuthorizationServer, start_service: StartService
) -> None:
    """Even if the same keys signed it."""
    with start_service(server, OLYMPUS_ISSUER="https://issuer.example") as caller:
        assert_refused(caller, server.machine_token(), "issuer")


@only_oidc_provider
def test_an_expired_token_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """A token is accepted until it expires."""
    token = server.machine_token(client=OidcProvider.short_lived)
    before = caller.get(token)

    poll(lambda: caller.get(token), 401)

    assert before.status_code == 200
    assert_refused(caller, token, "expired")


@only_oidc_provider
def test_an_id_token_is_refused(caller: Service, server: OidcProvider) -> None:
    """It has the same issuer, key and user, but it is for the client, not for an API."""
    assert_refused(caller, server.sign_in()["id_token"], "type")


@once
def test_an_id_token_with_our_audience_is_refused(
    server: OidcProvider, start_service: StartService
) -> None:
    """Even if the audience of the service is the id of the client."""
    token = server.sign_in()["id_token"]
    with start_service(server, AUDIENCE=server.web.id) as caller:
        assert_refused(caller, token, "type")


def test_a_refresh_token_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """It is opaque, so it is no JWT."""
    assert_refused(caller, server.user_tokens().refresh, "not_compact")


@only_oidc_provider
def test_a_token_signed_with_eddsa_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """The key is published, but the service does not accept the algorithm."""
    assert_refused(caller, server.machine_token(client=OidcProvider.edwards), "algorithm")


@only_oidc_provider
def test_a_token_signed_with_pss_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """PS256 uses the same RSA key as RS256, but only RS256 is in `JWT_ALGORITHMS`."""
    assert_refused(caller, server.machine_token(client=OidcProvider.padded), "algorithm")


@only_oidc_provider
def test_a_token_that_is_bound_to_a_key_is_refused(caller: Service, server: OidcProvider) -> None:
    """The service cannot check that the caller has the key."""
    assert_refused(caller, server.bound_token(), "bound")


def test_a_borrowed_signature_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """It is a valid signature of a token with fewer scopes."""
    weak = server.machine_token(scope="read:widgets")
    strong = server.machine_token()
    forged = f"{strong.rpartition('.')[0]}.{weak.rpartition('.')[2]}"

    assert_refused(caller, forged, "signature")


@once
def test_garbage_is_refused(caller: Service) -> None:
    """It is no JWT."""
    assert_refused(caller, "garbage", "not_compact")


@once
def test_a_killed_server_changes_nothing(
    start_server: StartServer, start_service: StartService, tmp_path: Path
) -> None:
    """The service has its keys. A service that starts now cannot fetch them."""
    with start_server(tmp_path) as server, start_service(server) as caller:
        token = server.machine_token()
        before = caller.get(token)

        server.process.kill()
        response = caller.get(token)
        ready = caller.http.get("/health/ready")
        with start_service(server) as late:
            too_late = late.get(token)

    assert before.status_code == 200
    assert (response.status_code, ready.status_code) == (200, 200)
    assert_unavailable(too_late)
