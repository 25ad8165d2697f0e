"""A permission as a dependency of a route: the platform decides about each object.

`Security(require_permission("editor", project_of), scopes=["write:projects"])` guards a route with
a permission and a scope, and gives it the `Principal`.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from avnology_id import AsyncAvnologyId
from avnology_id.errors import AvnologyIdError, ValidationError
from fastapi import HTTPException, Request, Security

from app.auth.bearer import log_refusal, user_bearer
from app.auth.errors import AuthError
from app.auth.principal import Principal
from app.auth.verifier import unavailable
from app.metrics import ProviderCall


class PermissionDenied(AuthError):
    """The token is good and the platform denies. No other token of this caller helps."""

    status, message, has_challenge = 403, "Permission denied", False


def require_permission(
    relation: str, object_fn: Callable[[Request], str]
) -> Callable[..., Awaitable[Principal]]:
    """Return a dependency: the calling user has `relation` to the object of a request.

    `object_fn` names that object, as `project:<id>`. The scopes of the route come first. Machine
    tokens are refused: a client id is no user id. Raises `AuthError`, and 404 for an id that no
    object can have, before any call.
    """

    async def permitted(
        request: Request, principal: Annotated[Principal, Security(user_bearer)]
    ) -> Principal:
        client: AsyncAvnologyId = request.state.provider.client
        try:
            await check_permission(client, principal, relation, object_fn(request))
        except AuthError as refusal:
            log_refusal(refusal, None)
            raise
        return principal

    return permitted


async def check_permission(
    client: AsyncAvnologyId, principal: Principal, relation: str, target: str
) -> None:
    """Refuse a user who has no `relation` to `target`. An error never allows anything."""
    try:
        with ProviderCall():
            allowed = await client.permissions.check(
                subject=f"user:{principal.subject}", relation=relation, object=target
            )
    except ValidationError as error:
        if error.code == "invalid_object":
            raise HTTPException(404, "Not found") from None
        allowed = False
    except AvnologyIdError as error:
        raise unavailable(error) from None
    if allowed is not True:
        raise PermissionDenied("permission")
