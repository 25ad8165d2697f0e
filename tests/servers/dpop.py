"""A DPoP proof (RFC 9449): a server binds the token to the key that signed it."""

import base64
import json
import time
import uuid
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def proof(method: str, url: str) -> str:
    """Return a proof for one call, with a new key that is not kept."""
    key = Ed25519PrivateKey.generate()
    public = {"kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().public_bytes_raw())}
    header = {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": public}
    claims = {"jti": str(uuid.uuid4()), "htm": method, "htu": url, "iat": int(time.time())}
    signed = f"{encode_object(header)}.{encode_object(claims)}"
    return f"{signed}.{encode(key.sign(signed.encode()))}"


def encode_object(content: Mapping[str, object]) -> str:
    """Return a JSON object as a part of a JWS (RFC 7515, section 7.1)."""
    return encode(json.dumps(content).encode())


def encode(content: bytes) -> str:
    """Return bytes in base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
