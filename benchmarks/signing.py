"""Signed tokens for the rows, and the key set that verifies them. New keys for every run."""

import json
import time
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk, jws
from jose.backends.base import Key

VARIABLE = "BENCHMARKS_KEY_SETS"
"""Where the stub provider finds the key sets that it publishes."""


@lru_cache
def key(algorithm: str) -> Key:
    """Return the key pair of an algorithm, the same one for the whole run."""
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    else:
        private = rsa.generate_private_key(65_537, 2048)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return jwk.construct(pem, algorithm)


def key_sets() -> str:
    """Return the key sets that the issuer publishes, by name: of each algorithm, and of both."""
    keys = {}
    for algorithm in ("RS256", "ES256"):
        members = key(algorithm).public_key().to_dict()
        keys[algorithm] = {**members, "use": "sig", "alg": algorithm, "kid": algorithm}
    sets = {algorithm: {"keys": [member]} for algorithm, member in keys.items()}
    return json.dumps({**sets, "both": {"keys": list(keys.values())}})


def signed_token(algorithm: str, number: int = 0) -> str:
    """Return one of many tokens with the claims of Hydra, valid for a day."""
    now = int(time.time())
    claims = {
        "aud": ["https://widgets.example"],
        "client_id": "site-ciam-client",
        "exp": now + 86_400,
        "ext": {"role": "admin"},
        "iat": now,
        "iss": "http://localhost:3102",
        "jti": f"e7958274-0b83-48bf-aeeb-{number:012}",
        "nbf": now,
        "scp": ["openid", "profile", "email", "read:widgets"],
        "sub": "0190c7a1-4b1f-7c3e-9d55-7f0e5a1b2c3d",
    }
    payload = json.dumps(claims, separators=(",", ":")).encode()
    return str(jws.sign(payload, key(algorithm), headers={"kid": algorithm}, algorithm=algorithm))
