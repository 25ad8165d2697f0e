"""A provider that accepts every token: `uvicorn proof.provider:app`.

A token is `t-<subject>` where it is introspected, and a JWT of this provider where it is verified.
"""

import os
import time
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

KEY_ID = "key-1"


async def introspect(request: Request) -> JSONResponse:
    """Answer as both platforms do (RFC 7662)."""
    token = parse_qs((await request.body()).decode())["token"][0]
    answer = {"active": False}
    if token.startswith("t-"):
        answer = {
            "active": True,
            "sub": token.removeprefix("t-"),
            "client_id": "client",
            "token_type": "Bearer",
            "token_use": "access_token",
            "exp": int(time.time()) + 3600,
            "iat": int(time.time()) - 3600,
        }
    return JSONResponse(answer)


async def keys(_: Request) -> JSONResponse:
    """Publish the one key."""
    from jose import jwk

    key = jwk.construct(os.environ["SIGNING_KEY"], "RS256").public_key().to_dict()
    return JSONResponse({"keys": [{**key, "use": "sig", "kid": KEY_ID, "alg": "RS256"}]})


app = Starlette(
    routes=[
        Route("/introspect", introspect, methods=["POST"]),
        Route("/oauth2/introspect", introspect, methods=["POST"]),
        Route("/.well-known/jwks.json", keys),
    ]
)
