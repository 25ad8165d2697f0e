"""The pattern of the vendor's guide for JWTs in our own words: the whole key set to python-jose.

The keys are fetched once, which is faster than the guide. `verify_aud` is off, as it would refuse
every token of Hydra. It checks no more than the guide does.
"""

import os
from functools import lru_cache
from typing import Annotated, Any

import requests
from fastapi import Depends, FastAPI, Header, HTTPException
from jose import JWTError, jwt

app = FastAPI()


@lru_cache
def key_set() -> dict[str, Any]:
    """Fetch the keys of the issuer."""
    keys: dict[str, Any] = requests.get(os.environ["JWKS_URL"], timeout=5).json()
    return keys


async def current_user(authorization: Annotated[str, Header()]) -> dict[str, Any]:
    """Verify the token in the header."""
    try:
        return jwt.decode(
            authorization.removeprefix("Bearer "),
            key_set(),
            algorithms=[os.environ["ALGORITHM"]],
            issuer="http://localhost:3102",
            options={"verify_aud": False},
        )
    except JWTError:
        raise HTTPException(401, "Invalid or expired token") from None


@app.get("/widgets", response_model=None)
async def list_widgets(user: Annotated[dict[str, Any], Depends(current_user)]) -> dict[str, object]:
    """List no widgets."""
    return {"widgets": [], "user": user["sub"]}
