"""The local identity provider: signed tokens and their keys in the shapes of Ory Hydra."""

import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk, jws
from jose.backends.base import Key
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dev.environment import KEYS, issuer
from dev.oauth import OAuthServer


class Provider(OAuthServer):
    """Issues signed tokens and publishes the keys that verify them.

    A service that verifies tokens by itself does not see that one was revoked.
    """

    def __init__(self, issuer: str = issuer(), clock: Callable[[], float] = time.time) -> None:
        routes = [
            Route(KEYS, self._published_keys),
            Route("/.well-known/openid-configuration", self._discovery),
            Route("/dev/rotate", self._rotate, methods=["POST"]),
        ]
        super().__init__(issuer, clock, routes, counted=KEYS)
        self._keys: list[tuple[str, Key]] = []
        self.rotate()

    def more_claims(self, scopes: Sequence[str], now: int) -> Mapping[str, object]:
        """Return the other claims of Hydra's tokens. Scopes are a list, in `scp`."""
        return {"ext": {}, "jti": str(uuid.uuid4()), "nbf": now, "scp": list(scopes)}

    def new_token(self, claims: Mapping[str, object]) -> str:
        """Return `claims`, signed with the newest key."""
        key_id, key = self._keys[0]
        return str(jws.sign(json.dumps(claims).encode(), key, {"kid": key_id}, algorithm="RS256"))

    def rotate(self) -> str:
        """Sign with a new key from now on and return its id. The old ones stay published."""
        key_id = str(uuid.uuid4())
        self._keys.insert(0, (key_id, _key_pair(len(self._keys))))
        return key_id

    async def _published_keys(self, request: Request) -> Response:
        keys = [
            {**key.public_key().to_dict(), "use": "sig", "kid": key_id, "alg": "RS256"}
            for key_id, key in self._keys
        ]
        return JSONResponse({"keys": keys})

    async def _discovery(self, request: Request) -> Response:
        """Describe the provider (OpenID Connect Discovery)."""
        endpoints = {"token_endpoint": "/oauth2/token", "jwks_uri": KEYS}
        urls = {name: self.issuer + path for name, path in endpoints.items()}
        return JSONResponse({"issuer": self.issuer, **urls})

    async def _rotate(self, request: Request) -> Response:
        return JSONResponse({"kid": self.rotate()})


@lru_cache
def _key_pair(number: int) -> Key:
    """Make a key pair once in a process: finding primes takes time.

    Hence also the short modulus. Hydra's has 4096 bits, whose primes take seconds.
    """
    private = rsa.generate_private_key(65_537, 2048)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return jwk.construct(pem, "RS256")
