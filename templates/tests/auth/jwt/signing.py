"""Keys of an issuer that the tests play, and tokens signed with them, well-formed or not."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk
from jose.backends.base import Key

from tests.callers import AUDIENCE, NOW

ISSUER = "http://localhost:3102"
CLAIMS: dict[str, object] = {
    "aud": [AUDIENCE],
    "client_id": "reader",
    "exp": NOW + 3600,
    "ext": {},
    "iat": NOW,
    "iss": ISSUER,
    "jti": "e7958274-0b83-48bf-aeeb-4e2882ef112c",
    "nbf": NOW,
    "scp": ["read:widgets"],
    "sub": "anna",
}


def encode(raw: bytes) -> str:
    """Encode base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


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

    def token(
        self, claims: Mapping[str, object] | bytes = b"", header: Mapping[str, object] | bytes = b""
    ) -> str:
        """Sign `claims` under `header`; as bytes they are signed as they are."""
        if not isinstance(header, bytes) or not header:
            fields = {"alg": self.algorithm, "kid": self.key_id, "typ": "JWT", **dict(header or {})}
            present = {name: value for name, value in fields.items() if value is not ...}
            header = json.dumps(present).encode()
        if not isinstance(claims, bytes):
            claims = json.dumps(dict(claims)).encode()
        signing_input = f"{encode(header)}.{encode(claims)}"
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
