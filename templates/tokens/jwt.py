"""Signed access tokens: how they are made, and the keys that verify them."""

import itertools
import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk, jws
from jose.backends.base import Key
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dev.answers import PRIVATE, OAuthError, api_answer
from dev.grants import Grant

ABSENT = object()
"""As the value of a claim: the token does not have it."""
ACCESS_TOKEN_STRATEGY = "jwt"
"""What a client is registered with, to get tokens of this kind whatever the provider's default."""
QUESTION = "/.well-known/jwks.json"
"""Where a service gets the keys, on the public listener."""
ACCESS_TOKENS = "hydra.jwt.access-token"
ID_TOKENS = "hydra.openid.id-token"
"""The sets of keys. Both are published as one, and nothing says which key is of which."""

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
"""What a key may be made for."""

_ACCESS_TOKEN_KEYS = "/keys/" + ACCESS_TOKENS


class WantedKey(BaseModel):
    """What an operator asks for, to rotate."""

    alg: str = Field(pattern=f"^({'|'.join(ALGORITHMS)})$")
    use: Literal["sig"]
    kid: str = Field(default="", max_length=256)


class SigningKey:
    """A key pair of the provider. `number` tells the pairs of one process apart."""

    def __init__(self, algorithm: str, number: int, key_id: str | None = None) -> None:
        self.algorithm = algorithm
        self.key_id = key_id or str(uuid.uuid4())
        self._private = _key_pair(algorithm, number)

    @property
    def public(self) -> dict[str, object]:
        """The public key as the key set shows it (RFC 7517), fields in Hydra's order."""
        members = self._private.public_key().to_dict()
        shown = {"use": "sig", "kid": self.key_id, "alg": self.algorithm}
        names = ("use", "kty", "kid", "crv", "alg", "n", "e", "x", "y")
        return {name: value for name in names if (value := {**members, **shown}.get(name))}

    def sign(self, claims: Mapping[str, object], header: Mapping[str, object]) -> str:
        """Return a token with these claims. `header` replaces or adds fields of the header."""
        fields = {"kid": self.key_id, **header}
        payload = json.dumps(claims, separators=(",", ":")).encode()
        return str(jws.sign(payload, self._private, headers=fields, algorithm=self.algorithm))


class Tokens:
    """The keys, and the tokens made with them. `clock` gives seconds since 1970."""

    def __init__(self, issuer: str, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._clock = clock
        self._numbers = itertools.count()
        self.keys = {name: [self._new_key("RS256")] for name in (ID_TOKENS, ACCESS_TOKENS)}
        self.public_routes: list[BaseRoute] = [
            Route(QUESTION, self.published_keys, methods=["GET"]),
            Route("/.well-known/openid-configuration", self.discovery, methods=["GET"]),
            Route("/.well-known/oauth-authorization-server", self.discovery, methods=["GET"]),
        ]
        self.admin_routes: list[BaseRoute] = [
            Route(_ACCESS_TOKEN_KEYS, self.create_key, methods=["POST"]),
            Route(_ACCESS_TOKEN_KEYS + "/{key_id}", self.delete_key, methods=["DELETE"]),
        ]

    def mint(
        self,
        grant: Grant,
        claims: Mapping[str, object] | None = None,
        header: Mapping[str, object] | None = None,
    ) -> str:
        """Return a new token for `grant`, signed by the newest key.

        `claims` and `header` replace fields of the token, or add some.
        """
        now = int(self._clock())
        all_claims: dict[str, object] = {
            "aud": list(grant.audience),
            "client_id": grant.client_id,
            "exp": now + int(grant.lifetime),
            "ext": {},
            "iat": now,
            "iss": self._issuer,
            "jti": str(uuid.uuid4()),
            "nbf": now,
            "scp": list(grant.scopes),
            "sub": grant.subject,
            **(claims or {}),
        }
        present = {name: value for name, value in all_claims.items() if value is not ABSENT}
        return self.keys[ACCESS_TOKENS][0].sign(present, header or {})

    def id_token(self, client_id: str, subject: str) -> str:
        """Return an ID token: same issuer, same published keys, for the client and nobody else."""
        now = int(self._clock())
        claims = {
            "at_hash": secrets.token_urlsafe(16),
            "aud": [client_id],
            "auth_time": now,
            "exp": now + 3600,
            "iat": now,
            "iss": self._issuer,
            "jti": str(uuid.uuid4()),
            "nonce": secrets.token_urlsafe(16),
            "rat": now,
            "sid": str(uuid.uuid4()),
            "sub": subject,
        }
        return self.keys[ID_TOKENS][0].sign(claims, {})

    def rotate(self, algorithm: str = "RS256", key_id: str | None = None) -> SigningKey:
        """Sign with a new key from now on. The old one stays published."""
        key = self._new_key(algorithm, key_id)
        self.keys[ACCESS_TOKENS].insert(0, key)
        return key

    def owner(self, token: str) -> str | None:
        """Return `None`: nothing is kept about a token, so nobody owns it here."""
        return None

    def discard(self, token: str) -> None:
        """Accept a revocation. Who verifies the token with a key learns nothing of it."""

    def discard_all(self, client_id: str) -> None:
        """Accept the revocation of all tokens of a client. The same holds for them."""

    def _new_key(self, algorithm: str, key_id: str | None = None) -> SigningKey:
        return SigningKey(algorithm, next(self._numbers), key_id)

    async def published_keys(self, request: Request) -> Response:
        """Show the public keys of both sets, the newest of each first."""
        keys = [key.public for keys in self.keys.values() for key in keys]
        return api_answer({"keys": keys}, headers=PRIVATE)

    async def discovery(self, request: Request) -> Response:
        """Describe the provider (OpenID Connect Discovery; RFC 8414)."""
        document = {
            "issuer": self._issuer,
            "token_endpoint": self._issuer + "/oauth2/token",
            "jwks_uri": self._issuer + QUESTION,
            "subject_types_supported": ["public"],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "revocation_endpoint": self._issuer + "/oauth2/revoke",
        }
        return api_answer(document, headers=PRIVATE)

    async def create_key(self, request: Request) -> Response:
        """Rotate: the new key signs at once. Unlike Hydra, this shows no private key."""
        try:
            wanted = WantedKey.model_validate_json(await request.body())
        except ValidationError:
            raise OAuthError("invalid_request") from None
        key = self.rotate(wanted.alg, wanted.kid)
        location = {"Location": self._issuer + _ACCESS_TOKEN_KEYS}
        return api_answer({"keys": [key.public]}, 201, location)

    async def delete_key(self, request: Request) -> Response:
        """Withdraw a key: tokens that it signed are worth nothing from now on."""
        key_id = request.path_params["key_id"]
        keys = [key for key in self.keys[ACCESS_TOKENS] if key.key_id != key_id]
        # Never without a key, as Hydra makes one when there is none to sign with.
        self.keys[ACCESS_TOKENS] = keys or [self._new_key("RS256")]
        return Response(status_code=204)


@lru_cache
def _key_pair(algorithm: str, number: int) -> Key:
    """Make a key pair once in a process: finding primes takes time.

    Hence the short modulus as well. Hydra's has 4096 bits, whose primes take seconds.
    """
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if algorithm.startswith("ES"):
        curve = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
        private = ec.generate_private_key(curve[algorithm])
    else:
        private = rsa.generate_private_key(65_537, 2048)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return jwk.construct(pem, algorithm)
