"""`client.admin`: the users of the platform."""

from urllib.parse import quote

from avnology_id import errors
from avnology_id.answers import read
from avnology_id.options import Paths, Scopes
from avnology_id.platform import Platform
from avnology_id.results import User, user

MAX_ID_LENGTH = 256


class Admin:
    """The calls about users (`/docs/api/users/get-user`)."""

    def __init__(self, platform: Platform, paths: Paths, scopes: Scopes) -> None:
        self._platform = platform
        self._path = paths.users.rstrip("/")
        self._scopes = frozenset(scopes.users.split())

    async def get_user(self, *, user_id: str) -> User:
        """Return a user by an id that may be any text.

        Raises `NotFoundError` when there is no such user, else `AvnologyIdError`.
        """
        # Two of these are steps in a path, not names, and stay so however they are escaped.
        if user_id in ("", ".", "..") or len(user_id) > MAX_ID_LENGTH:
            raise errors.NotFoundError("no user can have this id", code="invalid_id")
        try:
            path = f"{self._path}/{quote(user_id, safe='')}"
        except UnicodeEncodeError:
            raise errors.NotFoundError("no user can have this id", code="invalid_id") from None
        return read(await self._platform.call("GET", path, self._scopes), user)
