"""An issuer that the tests play: its keys, and tokens signed with them, well-formed or not."""

import base64
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import httpx
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from httpx2 import Response
from jose import jwk
from jose.backends.base import Key
from starlette.testclient import TestClient

from tests.callers import AUDIENCE, NOW, bearer

ISSUER = "http://localhost:3102"
CLAIMS: dict[str, object] = {
    "aud": [AUDIENCE],
    "client_id": "reader",
    "exp": NOW + 864_000,
    "ext": {},
    "iat": NOW,
    "iss": ISSUER,
    "nbf": NOW,
    "scp": ["read:widgets"],
    "sub": "anna",
}
Members = Mapping[str, object] | bytes
"""Members of a JSON object to change, where `...` leaves one out; or all of it, as bytes."""


def encode(raw: bytes) -> str:
    """Encode base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def segment(usual: Mapping[str, object], changes: Members) -> str:
    if isinstance(changes, bytes):
        return encode(changes)
    members = {name: value for name, value in {**usual, **changes}.items() if value is not ...}
    return encode(json.dumps(members).encode())


@dataclass(frozen=True)
class Signer:
    """A key pair of the issuer."""

    algorithm: str
    key_id: str
    private: Key

    @property
    def public(self) -> dict[str, object]:
        """The key as the issuer publishes it."""
        members = self.private.public_key().to_dict()
        return {**members, "kid": self.key_id, "use": "sig", "alg": self.algorithm}

    def token(self, claims: Members | None = None, header: Members | None = None) -> str:
        """Sign a good token, like no other, with changes to its claims and its header."""
        usual = {"alg": self.algorithm, "kid": self.key_id, "typ": "JWT"}
        unique = {**CLAIMS, "jti": str(uuid.uuid4())}
        signing_input = f"{segment(usual, header or {})}.{segment(unique, claims or {})}"
        return f"{signing_input}.{encode(self.private.sign(signing_input.encode()))}"


@lru_cache
def signer(algorithm: str = "RS256", number: int = 1, size: int = 2048) -> Signer:
    """Return the key pair of this kind, number and size: always the same one in a test run."""
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if algorithm.startswith("ES"):
        curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
        private = ec.generate_private_key(curves[algorithm])
    else:
        private = rsa.generate_private_key(65_537, size)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Signer(algorithm, f"key-{number}", jwk.construct(pem, algorithm))


class Issuer(httpx.MockTransport):
    """An issuer at the wire, with the keys that it publishes and the requests that it got."""

    def __init__(self, *keys: object) -> None:
        self.keys = [*keys]
        self.response: Callable[[], httpx.Response] = self.key_set
        """What it sends: by default its keys."""
        self.requests: list[str] = []
        super().__init__(self._respond)

    def key_set(self) -> httpx.Response:
        return httpx.Response(200, json={"keys": self.keys}, headers={"Cache-Control": "no-store"})

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(str(request.url))
        return self.response()


def call(client: TestClient, token: str) -> Response:
    """Return the response to a request with `token`."""
    return client.get("/probe", headers=bearer(token))


def status(client: TestClient, token: str) -> int:
    return call(client, token).status_code
