"""The reference of all ratios: FastAPI with its defaults, an endpoint that returns a dict.

The body is that of the service's `GET /widgets`. No token is checked.
"""

from fastapi import FastAPI

app = FastAPI()


# A response model would make FastAPI faster, and the ratios different.
@app.get("/widgets", response_model=None)
async def list_widgets() -> dict[str, object]:
    """List no widgets, for any caller."""
    return {"widgets": [], "user": "0190c7a1-4b1f-7c3e-9d55-7f0e5a1b2c3d"}
