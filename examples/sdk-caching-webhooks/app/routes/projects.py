"""YOURS. Projects: the platform decides who may edit which one."""

from fastapi import APIRouter, Request, Security
from pydantic import BaseModel

from app.auth.errors import REFUSALS, Refusal
from app.auth.permissions import require_permission

router = APIRouter(prefix="/api/projects", tags=["projects"], responses=REFUSALS)

NOT_FOUND = {"model": Refusal, "description": "No project can have this id"}


def project_of(request: Request) -> str:
    """Return the project that a request is about."""
    return f"project:{request.path_params['project_id']}"


MAY_EDIT = Security(require_permission("editor", project_of))


class Updated(BaseModel):
    """The project is as the caller wants it."""

    updated: bool = True


@router.put("/{project_id}", dependencies=[MAY_EDIT], responses={404: NOT_FOUND})
async def update_project(project_id: str) -> Updated:
    """Update a project for a caller who is one of its editors."""
    return Updated()
