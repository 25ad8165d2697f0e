"""Debian's `glewlwyd`, set up over its own administration interface.

Its access tokens are JWTs that follow RFC 9068, and it introspects them too. Its responses have no
`sub` for a machine and never an `iss`, write the token's type in lower case, and are inactive for
tokens of other clients.
"""

import gzip
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import httpx
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.servers.authorization_server import (
    AUDIENCE,
    SCOPES,
    AuthorizationServer,
    Client,
    UserTokens,
    read_metadata,
)
from tests.servers.processes import HOST, free_port, running

MODULES = Path("/usr/lib/glewlwyd")
TABLES = Path("/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz")
"""The package has the empty database among its documentation."""
USER = {"username": "anna", "password": "anna-password"}
ADMINISTRATOR = {"username": "admin", "password": "password"}
"""The only user of an empty database."""


@dataclass(frozen=True, slots=True)
class Glewlwyd(AuthorizationServer):
    """A running `glewlwyd` with one client, which gets the tokens and introspects them."""

    machine: ClassVar = Client("machine", "machine-secret")
    web: ClassVar = machine
    introspector: ClassVar = machine

    def user_tokens(self) -> UserTokens:
        """Sign Anna in by her password, without an audience. Her subject is random."""
        form = {"grant_type": "password", "scope": SCOPES, **USER}
        tokens = self.post("token_endpoint", self.web, form)
        header = {"Authorization": f"Bearer {tokens['access_token']}"}
        profile = self.http.get(self.metadata["userinfo_endpoint"], headers=header)
        subject: str = profile.raise_for_status().json()["sub"]
        return UserTokens(subject, tokens["access_token"], tokens["refresh_token"])


def missing() -> str | None:
    """Return what this machine lacks to run the server, if anything."""
    if shutil.which("glewlwyd") is None:
        return "there is no glewlwyd on this machine"
    return None if TABLES.exists() else "glewlwyd is here without the tables of its database"


@contextmanager
def start(folder: Path, algorithm: str = "") -> Iterator[Glewlwyd]:
    """Run the server in an empty folder, with a new database.

    It signs with `algorithm`, RS256 or ES256; without one, with a secret that only it has.
    """
    port = free_port()
    address = f"http://{HOST}:{port}/"
    database = folder / "glewlwyd.db"
    create(database)
    variables = {
        "GLWD_BIND_ADDRESS": HOST,
        "GLWD_PORT": str(port),
        "GLWD_EXTERNAL_URL": address,
        "GLWD_LOG_MODE": "console",
        "GLWD_LOG_LEVEL": "INFO",
        "GLWD_DATABASE_TYPE": "sqlite3",
        "GLWD_DATABASE_SQLITE3_PATH": str(database),
        "GLWD_USER_MODULE_PATH": str(MODULES / "user"),
        "GLWD_CLIENT_MODULE_PATH": str(MODULES / "client"),
        "GLWD_AUTH_SCHEME_MODULE_PATH": str(MODULES / "scheme"),
        "GLWD_PLUGIN_MODULE_PATH": str(MODULES / "plugin"),
    }
    command = ["glewlwyd", "--env-variables"]
    # It says that it has started before it listens.
    transport = httpx.HTTPTransport(retries=5)
    with running(command, folder, variables) as process, httpx.Client(transport=transport) as http:
        process.wait_for("Glewlwyd started on port")
        issuer = set_up(http, f"{address}api", signing(algorithm))
        yield Glewlwyd(process, http, read_metadata(http, issuer))


def create(database: Path) -> None:
    """Create the database. The administrator is the only user."""
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(gzip.decompress(TABLES.read_bytes()).decode())


def signing(algorithm: str) -> dict[str, str]:
    """Return the parameters of the signing key."""
    if not algorithm:
        return {"jwt-type": "sha", "key": "a secret of the server"}
    elliptic = algorithm.startswith("ES")
    key = (
        ec.generate_private_key(ec.SECP256R1())
        if elliptic
        else rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    kind = "ecdsa" if elliptic else "rsa"
    return {"jwt-type": kind, "key": private.decode(), "cert": public.decode()}


def provider(issuer: str, signing: Mapping[str, str]) -> dict[str, object]:
    """Return the configuration of the plugin that issues tokens."""
    parameters = {
        "iss": issuer,
        "jwt-key-size": "256",
        "jwks-show": True,
        **signing,
        "access-token-duration": 600,
        "refresh-token-duration": 3600,
        "code-duration": 60,
        "allow-non-oidc": True,
        "auth-type-client-enabled": True,
        "auth-type-code-enabled": False,
        "auth-type-implicit-enabled": False,
        "auth-type-password-enabled": True,
        "auth-type-refresh-enabled": True,
        "introspection-revocation-allowed": True,
        "introspection-revocation-allow-target-client": True,
        "resource-allowed": True,
        "resource-scope": {scope: [AUDIENCE] for scope in SCOPES.split()},
        "resource-scope-and-client-property": False,
        "resource-client-property": "resource",
    }
    return {"module": "oidc", "name": "oidc", "display_name": "Test", "parameters": parameters}


def set_up(http: httpx.Client, api: str, signing: Mapping[str, str]) -> str:
    """Create issuer, scopes, client and user as the administrator. Return the issuer."""
    issuer = f"{api}/oidc"
    client = Glewlwyd.machine
    scopes = SCOPES.split()
    registration = {
        "client_id": client.id,
        "client_secret": client.secret,
        "password": client.secret,
        "confidential": True,
        "enabled": True,
        "scope": scopes,
        "authorization_type": ["client_credentials", "password", "refresh_token"],
        "token_endpoint_auth_method": ["client_secret_basic"],
    }
    requests: list[tuple[str, Mapping[str, object]]] = [
        ("/auth/", {**ADMINISTRATOR}),
        ("/mod/plugin/", provider(issuer, signing)),
        *(("/scope/", {"name": scope, "password_required": False}) for scope in scopes),
        ("/client/", registration),
        ("/user/", {**USER, "scope": [*scopes, "g_profile"], "enabled": True}),
    ]
    for path, content in requests:
        http.post(api + path, json=content).raise_for_status()
    return issuer
