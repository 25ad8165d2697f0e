"""The dependency of a route on which a revoked token must not pass, not even for half a minute.

    async def close(principal: Annotated[Principal, Security(fresh_bearer, scopes=["close"])])

What is remembered is not asked there, and what the provider says takes its place.
"""

from collections.abc import Awaitable

from app.auth.bearer import Authenticator, Bearer
from app.auth.claims import Claims


class FreshBearer(Bearer):
    """A `Bearer` that takes no answer older than `max_age` seconds; 0 asks at every request.

    `machine` as in `Bearer`.
    """

    def __init__(self, *, max_age: float = 0, machine: bool | None = None) -> None:
        super().__init__(machine=machine)
        self.max_age = max_age

    def verification(self, authenticator: Authenticator, token: str) -> Awaitable[Claims]:
        """Return the pending answer about `token`."""
        return authenticator.verifier.verify(token, max_age=self.max_age)


fresh_bearer = FreshBearer()
