"""What an orchestrator asks. Nothing here needs a token."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from app.readiness import Readiness

router = APIRouter(prefix="/health", tags=["health"])


class Live(BaseModel):
    """The process runs."""

    status: str = "ok"


class Unavailable(BaseModel):
    """The service cannot do its work, and what is missing for it."""

    status: str = "unavailable"
    missing: list[str]


@router.get("/live")
async def live() -> Live:
    """Tell that the process answers. Asks nobody."""
    return Live()


NOT_READY = {"model": Unavailable, "description": "Something is missing"}


@router.get("/ready", response_model=Live, responses={503: NOT_READY})
async def ready(request: Request) -> Live | Response:
    """Tell whether the service can do its work, within a second."""
    readiness: Readiness = request.app.state.readiness
    missing = await readiness.missing()
    if missing:
        return JSONResponse(Unavailable(missing=missing).model_dump(), status_code=503)
    return Live()
