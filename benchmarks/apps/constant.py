"""The bare endpoint with an asynchronous dependency that does nothing: the cost of FastAPI."""

from typing import Annotated

from fastapi import Depends, FastAPI

app = FastAPI()


async def subject() -> str:
    """Return always the same caller."""
    return "0190c7a1-4b1f-7c3e-9d55-7f0e5a1b2c3d"


@app.get("/widgets", response_model=None)
async def list_widgets(user: Annotated[str, Depends(subject)]) -> dict[str, object]:
    """List no widgets."""
    return {"widgets": [], "user": user}
