"""Node's `oidc-provider`, with opaque tokens or with JWTs.

Its introspection needs a client's credentials. Responses have no `sub` for a machine and never a
`token_use`; `token_type` is there for an access token, and missing for a refresh token.
Its JWTs follow RFC 9068. It publishes keys of several kinds, and an endpoint changes them.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx

from tests import OWN_ENVIRONMENT
from tests.commands import run
from tests.servers import dpop
from tests.servers.authorization_server import (
    AUDIENCE,
    SCOPES,
    AuthorizationServer,
    Client,
    UserTokens,
    read_metadata,
)
from tests.servers.processes import running

SOURCE = Path(__file__).parent / "oidc-provider"
INSTALL = "npm install --ignore-scripts --no-package-lock --no-audit --no-fund --prefer-offline"
CALLBACK = "https://web.example/callback"
"""The redirect URI after a sign-in. The redirect is not followed."""


@dataclass(frozen=True, slots=True)
class OidcProvider(AuthorizationServer):
    """A running `oidc-provider` with the clients that `server.js` lists."""

    machine: ClassVar = Client("machine", "machine-secret")
    short_lived: ClassVar = Client("short-lived", "short-lived-secret")
    """A machine whose tokens live for two seconds."""
    web: ClassVar = Client("web", "web-secret")
    introspector: ClassVar = Client("widget service", "a:b c%2Fd+e&f=g/h")
    edwards: ClassVar = Client("edwards", "edwards-secret")
    """A machine whose JWTs are signed with EdDSA."""
    padded: ClassVar = Client("padded", "padded-secret")
    """A machine whose JWTs are signed with PS256."""

    def user_tokens(self) -> UserTokens:
        """Sign Anna in, and return her tokens."""
        tokens = self.sign_in()
        return UserTokens("anna", tokens["access_token"], tokens["refresh_token"])

    def bound_token(self) -> str:
        """Get a machine's token that is bound to a key by `cnf` (RFC 9449)."""
        url = self.metadata["token_endpoint"]
        form = {"grant_type": "client_credentials", "scope": SCOPES, "resource": AUDIENCE}
        headers = {"DPoP": dpop.proof("POST", url)}
        answer = self.http.post(url, data=form, auth=self.machine, headers=headers)
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    def publish(self, *names: str) -> None:
        """Publish only these keys, such as `rsa-1`. The first of each kind signs from now on."""
        self.http.post(f"{self.metadata['issuer']}/keys", json=names).raise_for_status()

    def sign_in(self) -> dict[str, str]:
        """Sign Anna in by the authorization code flow, which needs no more than redirects.

        Returns the answer of the token endpoint.
        """
        question = {
            "client_id": self.web.id,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": f"openid offline_access {SCOPES}",
            "resource": AUDIENCE,
            "prompt": "consent",
            "login_hint": "anna",
        }
        answer = self.http.get(self.metadata["authorization_endpoint"], params=question)
        while (step := answer.next_request) and not str(step.url).startswith(CALLBACK):
            answer = self.http.send(step)
        (code,) = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "resource": AUDIENCE,
        }
        return self.post("token_endpoint", self.web, form)


def missing() -> str | None:
    """Return what this machine lacks to run the server, if anything."""
    programs = [name for name in ("node", "npm") if shutil.which(name) is None]
    return f"there is no {' and no '.join(programs)} on this machine" if programs else None


def install(folder: Path) -> None:
    """Install the server into a new folder. Fails with the output of npm."""
    shutil.copytree(SOURCE, folder)
    run(INSTALL.split(), folder, OWN_ENVIRONMENT)


@contextmanager
def start(installed: Path, folder: Path, algorithm: str = "") -> Iterator[OidcProvider]:
    """Run the server from where it is installed, in an empty folder.

    Its access tokens are JWTs that are signed with `algorithm`, or opaque without one.
    """
    command = ["node", str(installed / "server.js"), *algorithm.split()]
    with running(command, folder, {}) as process, httpx.Client(trust_env=False) as http:
        issuer = process.wait_for(r"Listening at (\S+)\n")[1]
        yield OidcProvider(process, http, read_metadata(http, issuer))
