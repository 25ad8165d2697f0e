"""What the local provider can be made to do: sign anything, rotate and withdraw its keys."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import httpx
import pytest
from jose import jws
from starlette.applications import Starlette

from dev.environment import Endpoints
from dev.processes import ROOT, free_ports, provider_command, running, wait_until_up
from dev.provider import ABSENT, Provider
from dev.tokens import ACCESS_TOKENS, ID_TOKENS
from tests.callers import Clock


def call(listener: Starlette, method: str, url: str, **options: Any) -> httpx.Response:
    """Make one call at a listener of the provider."""

    async def send() -> httpx.Response:
        wire = httpx.ASGITransport(listener)
        async with httpx.AsyncClient(transport=wire, base_url="http://provider") as client:
            return await client.request(method, url, **options)

    return asyncio.run(send())


def published(provider: Provider) -> dict[str, dict[str, Any]]:
    """Return the published keys by their names."""
    keys = call(provider.public, "GET", "/.well-known/jwks.json").json()["keys"]
    return {key["kid"]: key for key in keys}


def read(provider: Provider, token: str, signed_by: str | None = None) -> dict[str, Any]:
    """Return the claims of a token, verified with the key it names or that of another name."""
    key = published(provider)[signed_by or jws.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = json.loads(jws.verify(token, key, key["alg"]))
    return claims


def test_an_issued_token_is_a_machines(provider: Provider, clock: Clock) -> None:
    """Without a subject the client speaks for itself."""
    claims = read(provider, provider.issue(client_id="batch", lifetime=60))

    assert (claims["client_id"], claims["sub"]) == ("batch", "batch")
    assert (claims["iat"], claims["exp"]) == (clock.now, clock.now + 60)


def test_claims_replace_add_and_take_away(provider: Provider) -> None:
    """A test can make the provider sign anything."""
    claims = read(provider, provider.issue(exp="soon", tenant=7, sub=ABSENT))

    assert (claims["exp"], claims["tenant"]) == ("soon", 7)
    assert "sub" not in claims


def test_a_revoked_token_looks_as_before(provider: Provider) -> None:
    """The answer is Hydra's, and whoever verifies with the keys learns nothing of it."""
    token = provider.issue(client_id="writer")
    auth = ("writer", "writer-secret")
    answer = call(provider.public, "POST", "/oauth2/revoke", auth=auth, data={"token": token})
    provider.revoke(token)

    assert (answer.status_code, answer.content) == (200, b"")
    assert read(provider, token)["client_id"] == "writer"


def test_the_newest_key_signs(provider: Provider) -> None:
    """A rotation takes effect at once, and the former key stays published."""
    before = provider.issue()
    key = provider.tokens.rotate("ES256", "the-new-one")
    after = provider.issue()

    assert jws.get_unverified_header(after) == {"alg": "ES256", "kid": "the-new-one", "typ": "JWT"}
    assert key.public == published(provider)["the-new-one"]
    assert read(provider, before)["client_id"] == read(provider, after)["client_id"]


def test_a_token_may_name_a_key_that_did_not_sign_it(provider: Provider) -> None:
    """Hydra makes such tokens when it refreshes one after a rotation."""
    former = provider.tokens.keys[ACCESS_TOKENS][0]
    key = provider.tokens.rotate()
    token = key.sign({"sub": "anna"}, {"kid": former.key_id})

    assert jws.get_unverified_header(token)["kid"] == former.key_id
    assert read(provider, token, signed_by=key.key_id) == {"sub": "anna"}


def test_an_id_token_is_of_the_other_set(provider: Provider) -> None:
    """Issuer and published keys are the same: only its claims tell what it is."""
    token = provider.tokens.id_token("web", "anna")

    assert jws.get_unverified_header(token)["kid"] == provider.tokens.keys[ID_TOKENS][0].key_id
    assert read(provider, token)["aud"] == ["web"]


def test_a_withdrawn_key_is_gone(provider: Provider) -> None:
    """Of several keys the next one signs again; in place of the last one there is a new one."""
    address = f"/admin/keys/{ACCESS_TOKENS}/"
    first = provider.tokens.keys[ACCESS_TOKENS][0].key_id
    second = provider.tokens.rotate().key_id

    deleted = [call(provider.admin, "DELETE", address + second).status_code]
    signing = jws.get_unverified_header(provider.issue())["kid"]
    deleted += [call(provider.admin, "DELETE", address + first).status_code]

    assert (deleted, signing) == ([204, 204], first)
    assert published(provider).keys().isdisjoint({first, second})
    assert read(provider, provider.issue())["client_id"] == "writer"


def test_a_new_key_is_never_a_withdrawn_one(provider: Provider) -> None:
    """Else tokens of a key that is gone would be good again."""
    withdrawn = provider.tokens.rotate()
    call(provider.admin, "DELETE", f"/admin/keys/{ACCESS_TOKENS}/{withdrawn.key_id}")

    assert provider.tokens.rotate().public["n"] != withdrawn.public["n"]


@pytest.mark.parametrize("wanted", ["", "[]", '{"alg": "HS256", "use": "sig"}', '{"alg": "RS256"}'])
def test_a_key_that_cannot_be_is_refused(provider: Provider, wanted: str) -> None:
    """Nothing is rotated by mistake."""
    before = published(provider)
    answer = call(provider.admin, "POST", f"/admin/keys/{ACCESS_TOKENS}", content=wanted)

    assert answer.status_code == 400
    assert published(provider) == before


def test_a_deleted_client_gets_no_token(provider: Provider) -> None:
    """Deleting a client is how an operator locks it out, once its last token has expired."""
    deleted = [call(provider.admin, "DELETE", "/admin/clients/writer").status_code for _ in "12"]
    form = {"grant_type": "client_credentials"}
    auth = ("writer", "writer-secret")
    answer = call(provider.public, "POST", "/oauth2/token", auth=auth, data=form)

    assert deleted == [204, 404]
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("registration", "status"),
    [
        ('{"client_id": "reader"}', 409),
        ('{"client_credentials_grant_access_token_lifespan": "soon"}', 400),
        ("no document", 400),
    ],
)
def test_a_client_that_cannot_be_is_refused(
    provider: Provider, registration: str, status: int
) -> None:
    """A name is given once, and a registration has a shape."""
    answer = call(provider.admin, "POST", "/admin/clients", content=registration)

    assert answer.status_code == status


def test_an_outage_ends_as_it_began(provider: Provider) -> None:
    """Calls for keys are counted while nobody answers them."""
    provider.outage = True
    during = call(provider.public, "GET", "/.well-known/jwks.json")
    provider.outage = False

    assert during.status_code == 503
    assert len(published(provider)) == 2
    assert provider.calls == 2


def test_the_command_rotates_a_running_provider() -> None:
    """The new key is published and named; without a provider the command says so."""
    public_port, admin_port = free_ports(2)
    options = ["--alg", "ES256", "--admin-port", str(admin_port)]
    command = [sys.executable, "-m", "dev.rotate", *options]
    with running(provider_command(public_port, admin_port)) as process:
        url = Endpoints.local(public_port, admin_port).public
        wait_until_up(process, f"{url}/health/ready")
        rotated = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        keys = httpx.get(f"{url}/.well-known/jwks.json", trust_env=False).json()["keys"]
    alone = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert [key["alg"] for key in keys] == ["RS256", "ES256", "RS256"]
    assert keys[1]["kid"] in rotated.stdout
    assert (alone.returncode, alone.stdout) == (1, "")
    assert alone.stderr.startswith("No answer at")
