"""The service beside authorization servers that others wrote, whose JWTs it verifies itself.

What the service writes to its log tells which rule refused a token, and that it was the right one.
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
"""What depends neither on the algorithm nor on the server."""


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
    """The server's keys were fetched, and one of them can be used."""
    assert caller.http.get("/health/ready").json() == {"status": "ok"}


@only_oidc_provider
def test_keys_of_other_kinds_are_left_out(caller: Service) -> None:
    """They do no harm to their neighbours, and the log says why tokens of theirs are refused."""
    caller.process.wait_for(r"keys replaced usable=2\n")

    assert "key left out kid='ed25519-1' reason=EdDSA is not supported" in caller.process.output()


def test_a_machine_is_let_in(caller: Service, server: AuthorizationServer) -> None:
    """Its token names the client as its subject."""
    response = caller.get(server.machine_token())

    assert response.status_code == 200
    assert response.json()["user"] == server.machine.id


@only_oidc_provider
def test_a_user_is_let_in(caller: Service, server: AuthorizationServer) -> None:
    """A user's token stands for the user, not for the client that got it."""
    tokens = server.user_tokens()

    response = caller.get(tokens.access)

    assert response.status_code == 200
    assert response.json()["user"] == tokens.subject


@only_glewlwyd
def test_a_user_of_a_listed_client_is_let_in(
    server: AuthorizationServer, start_service: StartService
) -> None:
    """Where it does not matter whom a token is for, the client that got it can decide."""
    tokens = server.user_tokens()
    with start_service(server, AUDIENCE="", ALLOWED_CLIENT_IDS=server.web.id) as caller:
        response = caller.get(tokens.access)

    assert response.status_code == 200
    assert response.json()["user"] == tokens.subject


def test_a_token_with_the_scope_may_write(caller: Service, server: AuthorizationServer) -> None:
    """The server lists scopes in one string."""
    assert caller.post(server.machine_token()).status_code == 201


def test_a_missing_scope_is_named(caller: Service, server: AuthorizationServer) -> None:
    """The token is fine, so the caller learns which right it has to ask for."""
    response = caller.post(server.machine_token(scope="read:widgets"))

    assert response.status_code == 403
    assert response.headers["www-authenticate"].endswith(
        'error="insufficient_scope", scope="write:widgets"'
    )


@only_oidc_provider
def test_a_token_for_nobody_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """Without an audience the server issues no JWT but a word that it alone understands."""
    assert_refused(caller, server.machine_token(audience=None), "not_compact")


@only_glewlwyd
def test_a_token_for_its_scopes_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """Where a client does not say whom a token is for, this server writes the scopes there."""
    assert_refused(caller, server.machine_token(audience=None), "audience")


@only_oidc_provider
def test_a_token_for_another_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """Here an audience is one string, not a list of them."""
    assert_refused(caller, server.machine_token(audience=f"{AUDIENCE}.org"), "audience")


@once
def test_a_token_of_another_issuer_is_refused(
    server: AuthorizationServer, start_service: StartService
) -> None:
    """Whoever may use the keys of an issuer is not that issuer."""
    with start_service(server, OLYMPUS_ISSUER="https://issuer.example") as caller:
        assert_refused(caller, server.machine_token(), "issuer")


@only_oidc_provider
def test_an_expired_token_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """A token is good until its end, and not a moment longer."""
    token = server.machine_token(client=OidcProvider.short_lived)
    before = caller.get(token)

    poll(lambda: caller.get(token), 401)

    assert before.status_code == 200
    assert_refused(caller, token, "expired")


@only_oidc_provider
def test_an_id_token_is_refused(caller: Service, server: OidcProvider) -> None:
    """Same issuer, same key, same user: but it tells a client who signed in, and opens nothing."""
    assert_refused(caller, server.sign_in()["id_token"], "type")


@once
def test_an_id_token_with_our_audience_is_refused(
    server: OidcProvider, start_service: StartService
) -> None:
    """Not even where the client that it is for and the service go by one name."""
    token = server.sign_in()["id_token"]
    with start_service(server, AUDIENCE=server.web.id) as caller:
        assert_refused(caller, token, "type")


def test_a_refresh_token_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """To this service it is no token at all."""
    assert_refused(caller, server.user_tokens().refresh, "not_compact")


@only_oidc_provider
def test_a_token_signed_with_eddsa_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """The key is published, but the algorithm is not one that the service takes."""
    assert_refused(caller, server.machine_token(client=OidcProvider.edwards), "algorithm")


@only_oidc_provider
def test_a_token_signed_with_pss_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """PS256 uses the very RSA key of RS256. An algorithm is taken by its name, not by its key."""
    assert_refused(caller, server.machine_token(client=OidcProvider.padded), "algorithm")


@only_oidc_provider
def test_a_token_that_is_bound_to_a_key_is_refused(caller: Service, server: OidcProvider) -> None:
    """Whoever bears it proves nothing, and nothing here checks a proof."""
    assert_refused(caller, server.bound_token(), "bound")


def test_a_borrowed_signature_is_refused(caller: Service, server: AuthorizationServer) -> None:
    """A real key made it, for a token with fewer rights."""
    weak = server.machine_token(scope="read:widgets")
    strong = server.machine_token()
    forged = f"{strong.rpartition('.')[0]}.{weak.rpartition('.')[2]}"

    assert_refused(caller, forged, "signature")


@once
def test_garbage_is_refused(caller: Service) -> None:
    """What nobody issued is nobody's."""
    assert_refused(caller, "garbage", "not_compact")


@once
def test_a_server_that_is_gone_goes_unnoticed(
    start_server: StartServer, start_service: StartService, tmp_path: Path
) -> None:
    """Its keys are known, so tokens are verified without it. Nobody who starts now knows them."""
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
