"""What an orchestrator asks. Nothing here needs a token."""

from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from app.readiness import Readiness


class Live(BaseModel):
    """The process runs."""

    status: str = "ok"


class Unavailable(BaseModel):
    """The service cannot do its work, and what is missing for it."""

    status: str = "unavailable"
    missing: list[str]


NOT_READY = {"model": Unavailable, "description": "Something is missing"}


async def live() -> Live:
    """Tell that the process answers. Asks nobody."""
    return Live()


async def ready(request: Request) -> Live | Response:
    """Tell whether the service can do its work, within a second."""
    readiness: Readiness = request.state.readiness
    missing = await readiness.missing()
    if missing:
        return JSONResponse(Unavailable(missing=missing).model_dump(), status_code=503)
    return Live()


def add_routes(app: FastAPI) -> None:
    """Add the routes of health to `app`."""
    app.add_api_route("/health/live", live, tags=["health"])
    app.add_api_route(
        "/health/ready", ready, tags=["health"], response_model=Live, responses={503: NOT_READY}
    )
