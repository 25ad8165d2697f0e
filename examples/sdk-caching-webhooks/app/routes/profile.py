"""YOURS. The caller's own profile, from the platform."""

from typing import Annotated

from avnology_id.errors import AvnologyIdError, NotFoundError
from fastapi import APIRouter, HTTPException, Request, Security
from pydantic import BaseModel

from app.auth import Principal, user_bearer
from app.auth.errors import REFUSALS, Refusal
from app.auth.verifier import unavailable

router = APIRouter(prefix="/api", tags=["profile"], responses=REFUSALS)

NOT_FOUND = {"model": Refusal, "description": "The platform does not know the user"}


class Profile(BaseModel):
    """What the platform knows about a user, as far as it was told."""

    email: str | None
    name: str | None


@router.get("/profile", responses={404: NOT_FOUND})
async def read_profile(
    request: Request, principal: Annotated[Principal, Security(user_bearer)]
) -> Profile:
    """Show the profile of the user whose token this is."""
    client = request.state.provider.client
    try:
        user = await client.admin.get_user(user_id=principal.subject)
    except NotFoundError:
        raise HTTPException(404, "User not found") from None
    except AvnologyIdError as error:
        raise unavailable(error) from None
    return Profile(email=user.email, name=user.name)
