"""The pattern of the vendor's guide in our own words: an asynchronous dependency that blocks.

It introspects the token with `requests`, over a new connection for each call, and blocks the event
loop meanwhile. It checks no more than the guide does.
"""

import os
from typing import Annotated, Any

import requests
from fastapi import Depends, FastAPI, Header, HTTPException

URL = os.environ["HYDRA_INTROSPECT_URL"]

app = FastAPI()


async def current_user(authorization: Annotated[str, Header()]) -> dict[str, Any]:
    """Introspect the token in the header."""
    token = authorization.removeprefix("Bearer ")
    answer = requests.post(URL, data={"token": token}, timeout=5)
    claims: dict[str, Any] = answer.json()
    if not claims.get("active"):
        raise HTTPException(401, "Invalid or expired token")
    return claims


@app.get("/widgets", response_model=None)
async def list_widgets(user: Annotated[dict[str, Any], Depends(current_user)]) -> dict[str, object]:
    """List no widgets."""
    return {"widgets": [], "user": user["sub"]}


@app.get("/health/live", response_model=None)
async def live() -> dict[str, str]:
    """Say that the process is alive."""
    return {"status": "ok"}
