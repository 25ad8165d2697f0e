"""Whether a user may do something with one object: the platform decides.

`Security(require_permission("editor", project_of), scopes=["write:projects"])` guards a route with
a permission and a scope, and gives it the `Principal`.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from avnology_id import AsyncAvnologyId
from avnology_id.errors import AvnologyIdError
from fastapi import HTTPException, Request, Security

from app.auth.bearer import log_refusal, user_bearer
from app.auth.errors import AuthError
from app.auth.outages import unavailable
from app.auth.principal import Principal

MAX_ID_LENGTH = 256


class PermissionDenied(AuthError):
    """The token is valid, and the platform denies the permission."""

    def __init__(self, reason: str) -> None:
        super().__init__(403, "Permission denied", reason)


def require_permission(
    relation: str, object_fn: Callable[[Request], str]
) -> Callable[..., Awaitable[Principal]]:
    """Return a dependency: the caller has `relation` to the object that a request is about.

    `object_fn` names that object, as `project:<id>`. The scopes of the route come first. Raises
    `AuthError`, also for a machine, as its client id is no user id. Raises 404 for an id that no
    object can have.
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
    """Refuse a caller who has no `relation` to `target`. An error is never a yes."""
    check_object(target)
    check_subject(principal.subject)
    try:
        allowed = await client.permissions.check(
            subject=f"user:{principal.subject}", relation=relation, object=target
        )
    except AvnologyIdError as error:
        raise unavailable(error) from None
    if allowed is not True:
        raise PermissionDenied("permission")


def check_object(name: str) -> None:
    """Respond 404 to an id that would change the tuple that is checked, or to an empty one."""
    if not is_plain(name.partition(":")[2]):
        raise HTTPException(404, "Not found")


def check_subject(subject: str) -> None:
    """Refuse a subject that would change the tuple that is checked."""
    if not is_plain(subject):
        raise PermissionDenied("subject")


def is_plain(identifier: str) -> bool:
    """Tell whether an id is nothing but an id in `namespace:object#relation@subject`."""
    return (
        0 < len(identifier) <= MAX_ID_LENGTH
        and identifier.isprintable()
        and {":", "#", "@"}.isdisjoint(identifier)
    )
