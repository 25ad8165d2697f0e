"""An asynchronous dependency on PyJWT with its own key client, as its documentation shows it."""

import os
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException

app = FastAPI()
keys = jwt.PyJWKClient(os.environ["JWKS_URL"], cache_keys=True)


async def current_user(authorization: Annotated[str, Header()]) -> dict[str, Any]:
    """Verify the token in the header."""
    token = authorization.removeprefix("Bearer ")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token).key,
            algorithms=[os.environ["ALGORITHM"]],
            audience="https://widgets.example",
            issuer="http://localhost:3102",
            options={"require": ["exp", "iat", "sub", "client_id"]},
        )
    except jwt.PyJWTError:
        raise HTTPException(401, "Invalid or expired token") from None
    return claims


@app.get("/widgets", response_model=None)
async def list_widgets(user: Annotated[dict[str, Any], Depends(current_user)]) -> dict[str, object]:
    """List no widgets."""
    return {"widgets": [], "user": user["sub"]}
