"""What everything is compared to: FastAPI at its defaults, an endpoint that returns a dict.

The body is that of the service's `GET /widgets`. Nobody is asked who is calling.
"""

from fastapi import FastAPI

app = FastAPI()


# With a model to return, FastAPI would be faster, and the ratios kinder than they should be.
@app.get("/widgets", response_model=None)
async def list_widgets() -> dict[str, object]:
    """List no widgets for nobody in particular."""
    return {"widgets": [], "user": "0190c7a1-4b1f-7c3e-9d55-7f0e5a1b2c3d"}
