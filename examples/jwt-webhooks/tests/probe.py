"""Routes of the tests' own, so that these tests depend on no route of the service.

Every application has them in tests. Its OpenAPI document does not show them.
"""

from typing import Annotated

from fastapi import APIRouter, Security
from pydantic import BaseModel, Field

from app.auth import Principal, bearer, fresh_bearer, machine_bearer, user_bearer

WRITE = "write:widgets"
"""A scope of the client `writer` at the local provider."""

router = APIRouter(prefix="/probe", include_in_schema=False)


class Note(BaseModel):
    text: Annotated[str, Field(min_length=1, max_length=100)]


@router.get("")
async def read(principal: Annotated[Principal, Security(bearer)]) -> str:
    return principal.subject


@router.get("/notes/{name}", dependencies=[Security(bearer, scopes=[WRITE])])
async def read_note(name: str) -> str:
    return name


@router.get("/users")
async def read_as_user(principal: Annotated[Principal, Security(user_bearer)]) -> str:
    return principal.subject


@router.get("/machines")
async def read_as_machine(
    principal: Annotated[Principal, Security(machine_bearer, scopes=["run:jobs", "read:jobs"])],
) -> str:
    return principal.subject


@router.post("", status_code=201, dependencies=[Security(bearer, scopes=[WRITE])])
async def write(note: Note) -> Note:
    return note


@router.delete("", status_code=204, dependencies=[Security(fresh_bearer, scopes=[WRITE])])
async def delete() -> None:
    return


@router.post("/open")
async def write_without_token(note: Note) -> Note:
    return note
