"""The way of the vendor's guide, written anew: an asynchronous dependency that blocks.

It asks about the token with `requests`, over a connection of its own for each question, while
nothing else in the process can run. What it fails to check is left out as there.
"""

import os
from typing import Annotated, Any

import requests
from fastapi import Depends, FastAPI, Header, HTTPException

URL = os.environ["HYDRA_INTROSPECT_URL"]

app = FastAPI()


async def current_user(authorization: Annotated[str, Header()]) -> dict[str, Any]:
    """Ask about the token in the header."""
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
    """Tell that the process answers."""
    return {"status": "ok"}
