"""The open advisories about python-jose, tried at this service. `.vex/` names these tests."""

import hmac
import json
import sys
from collections.abc import Callable

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from tests.auth.jwt.signing import CLAIMS, ISSUER, encode, signer
from tests.callers import bearer
from tests.conftest import Start

OURS = signer()
EMPTY_SECRET = {"kty": "oct", "kid": "key-2", "alg": "HS256", "k": ""}
PUBLIC = load_pem_public_key(OURS.private.public_key().to_pem())
SPELLINGS = {
    "PEM": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "DER": PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "DER of PKCS 1": PUBLIC.public_bytes(Encoding.DER, PublicFormat.PKCS1),
    "OpenSSH": PUBLIC.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
}


@pytest.fixture
def status(start: Start) -> Callable[[str], int]:
    """Return the status of a request with a token. The issuer also publishes an empty secret."""
    keys = {"keys": [OURS.public, EMPTY_SECRET]}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=keys))
    algorithms = "RS256,RS384,RS512,ES256,ES384,ES512"
    client = start(transport, None, OLYMPUS_ISSUER=ISSUER, JWT_ALGORITHMS=algorithms)
    return lambda token: client.get("/probe", headers=bearer(token)).status_code


def signed_by_secret(secret: bytes, key_id: str = "key-1") -> str:
    """Return a token that is signed with a shared secret in place of a key pair."""
    header = {"alg": "HS256", "kid": key_id, "typ": "JWT"}
    signing_input = ".".join(encode(json.dumps(part).encode()) for part in (header, CLAIMS))
    return f"{signing_input}.{encode(hmac.digest(secret, signing_input.encode(), 'sha256'))}"


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_public_key_is_no_shared_secret(status: Callable[[str], int], spelling: bytes) -> None:
    """CVE-2026-85394: anyone can read the public key, and sign with it as a secret."""
    assert status(OURS.token(CLAIMS)) == 200
    assert status(signed_by_secret(spelling)) == 401


def test_empty_secret_is_refused(status: Callable[[str], int]) -> None:
    """Issue 398: python-jose takes an empty HMAC key."""
    assert status(signed_by_secret(b"")) == 401
    assert status(signed_by_secret(b"", "key-2")) == 401


def test_critical_extension_is_refused(status: Callable[[str], int]) -> None:
    """Issue 413: python-jose ignores `crit`, so what an issuer calls critical has no effect."""
    assert status(OURS.token(CLAIMS, {"crit": ["policy"], "policy": "none"})) == 401


def test_ecdsa_is_never_imported(status: Callable[[str], int]) -> None:
    """CVE-2024-23342: its arithmetic leaks timing. The backend in use needs none of these."""
    assert status(OURS.token(CLAIMS)) == 200
    assert {"ecdsa", "pyasn1", "rsa"}.isdisjoint(sys.modules)
