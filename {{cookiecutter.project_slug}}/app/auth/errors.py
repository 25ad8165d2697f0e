"""Why a request is refused, and what the caller sees.

AuthError
    NotAuthenticated       401  no token was sent
    InvalidRequest         400  the token was sent in more than one way
    InvalidToken           401  a new token may help
    InsufficientScope      403  the token is fine, a right is missing
    WrongCaller            403  the token is fine, the kind of caller is not
    ProviderUnavailable    503  we could not ask; the token may be good

Every refusal carries a `reason`: a fixed word for the log. No claim, no token and no answer of
the provider goes into an exception, so none of them can leave through one.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class AuthError(Exception):
    """A refusal. `status`, `code` and `detail` are what the caller sees (RFC 6750, section 3)."""

    status: ClassVar[int]
    code: ClassVar[str | None] = None
    detail: str

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def headers(self, realm: str) -> dict[str, str]:
        """Return the response headers of this refusal: by default the challenge of `realm`."""
        return {"WWW-Authenticate": challenge(realm, self.code)}


class NotAuthenticated(AuthError):
    """No token was sent: a bare challenge, without an error code (RFC 6750, section 3.1)."""

    status = 401
    detail = "Not authenticated"


class InvalidRequest(AuthError):
    """The token was sent twice, or in more than one way (RFC 6750, section 3.1)."""

    status = 400
    code = "invalid_request"
    detail = "Invalid request"


class InvalidToken(AuthError):
    """The token is not good, or not for this service. The caller never learns which rule failed."""

    status = 401
    code = "invalid_token"
    detail = "Invalid or expired token"


class InsufficientScope(AuthError):
    """The token is good, but a scope of the route is missing. Names the scopes the route needs."""

    status = 403
    code = "insufficient_scope"
    detail = "insufficient_scope"

    def __init__(self, required: Iterable[str]) -> None:
        super().__init__("scope")
        self.required = tuple(required)

    def headers(self, realm: str) -> dict[str, str]:
        return {"WWW-Authenticate": challenge(realm, self.code, scope=" ".join(self.required))}


class WrongCaller(AuthError):
    """The route is for users only, or for machines only. No other token of this caller helps."""

    status = 403

    def __init__(self, detail: str) -> None:
        super().__init__("caller")
        self.detail = detail

    def headers(self, realm: str) -> dict[str, str]:
        return {}


class ProviderUnavailable(AuthError):
    """The identity provider gave no answer that can be used.

    Never a 401: clients throw good tokens away on a 401. `retry_after` is in whole seconds, `lacks`
    is what somebody has to mend where waiting does not help; readiness shows it.
    """

    status = 503
    detail = "Identity provider unavailable"

    def __init__(self, reason: str, retry_after: int = 5, lacks: str | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.lacks = lacks

    def headers(self, realm: str) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class Refusal(BaseModel):
    """The body of every refusal."""

    detail: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refusal, "description": "No token, or not a good one"},
    403: {"model": Refusal, "description": "The token lacks a right that the route needs"},
    503: {"model": Refusal, "description": "The identity provider did not answer"},
}
"""What the OpenAPI document says about a protected route."""


def challenge(realm: str, error: str | None = None, scope: str | None = None) -> str:
    """Return a `WWW-Authenticate` value: realm, then error, then scope (RFC 6750, section 3)."""
    parts = {"realm": realm, "error": error, "scope": scope}
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parts.items() if value)


def refusal(error: AuthError, realm: str) -> Response:
    """Return the response that `error` becomes."""
    return JSONResponse(
        {"detail": error.detail}, status_code=error.status, headers=error.headers(realm)
    )


async def refuse(request: Request, error: Exception) -> Response:
    """Answer an `AuthError` that a route or a dependency raised."""
    assert isinstance(error, AuthError)
    return refusal(error, request.app.state.realm)
