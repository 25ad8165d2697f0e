"""Projects: who may edit which one is the platform's decision."""

from fastapi import FastAPI, Request, Security
from pydantic import BaseModel

from app.auth.errors import REFUSALS, Refusal
from app.auth.permissions import require_permission

NOT_FOUND = {"model": Refusal, "description": "No project can have this id"}


def project_of(request: Request) -> str:
    """Return the project that a request is about."""
    return f"project:{request.path_params['project_id']}"


MAY_EDIT = Security(require_permission("editor", project_of))


class Updated(BaseModel):
    """The project is as the caller wants it."""

    updated: bool = True


async def update_project(project_id: str) -> Updated:
    """Update a project for a caller who is one of its editors."""
    return Updated()


def add_routes(app: FastAPI) -> None:
    """Add the routes of projects to `app`."""
    app.add_api_route(
        "/api/projects/{project_id}",
        update_project,
        methods=["PUT"],
        tags=["projects"],
        dependencies=[MAY_EDIT],
        responses=REFUSALS | {404: NOT_FOUND},
    )
