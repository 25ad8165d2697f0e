"""Why a request is refused, and what the caller sees.

Every refusal carries a `reason`: a fixed word for the log. No claim, no token and no response of
the provider goes into an exception, so none of them can leak through one.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from fastapi import HTTPException
from pydantic import BaseModel


class AuthError(HTTPException):
    """A refusal, which FastAPI turns into a response in mounted applications too."""

    status: ClassVar[int]
    message: str
    code: ClassVar[str | None] = None  # the `error` of the challenge (RFC 6750, section 3.1)
    has_challenge: ClassVar[bool] = True  # whether another token may help
    scopes: Sequence[str] = ()  # those of the route, if the token lacks one

    def __init__(self, reason: str) -> None:
        super().__init__(self.status, self.message)
        self.reason = reason

    def add_challenge(self, realm: str, metadata_url: str | None) -> None:
        """Set `WWW-Authenticate` (RFC 6750, section 3; RFC 9728, section 5.1)."""
        if self.has_challenge:
            parts = {
                "realm": realm,
                "error": self.code,
                "scope": " ".join(self.scopes),
                "resource_metadata": metadata_url,
            }
            challenge = ", ".join(f'{name}="{value}"' for name, value in parts.items() if value)
            self.headers = {"WWW-Authenticate": f"Bearer {challenge}"}


class NotAuthenticated(AuthError):
    """No token was sent. Nothing was wrong with it, so the challenge has no error code."""

    status, message = 401, "Not authenticated"


class InvalidRequest(AuthError):
    """The token was sent in more than one way (RFC 6750, section 3.1)."""

    status, message, code = 400, "Invalid request", "invalid_request"


class InvalidToken(AuthError):
    """The token is not good, or not for this service. The caller never learns which rule failed."""

    status, message, code = 401, "Invalid or expired token", "invalid_token"


class InsufficientScope(AuthError):
    """The token is good, but lacks one of `scopes`, which the route needs."""

    status, message, code = 403, "insufficient_scope", "insufficient_scope"

    def __init__(self, scopes: Sequence[str]) -> None:
        super().__init__("scope")
        self.scopes = scopes


class WrongCaller(AuthError):
    """The route is for users only, or for machines only."""

    status, has_challenge = 403, False

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__("caller")


class ProviderUnavailable(AuthError):
    """The identity provider gave no usable response. `retry_after` is in whole seconds.

    Never a 401: clients discard good tokens on a 401.
    """

    status, message, has_challenge = 503, "Identity provider unavailable", False

    def __init__(self, reason: str, retry_after: int = 5) -> None:
        super().__init__(reason)
        self.headers = {"Retry-After": str(retry_after)}


class Refusal(BaseModel):
    """The body of every refusal."""

    detail: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refusal, "description": "No token, or an invalid one"},
    403: {"model": Refusal, "description": "The token lacks a right that the route needs"},
    503: {"model": Refusal, "description": "The identity provider is unavailable"},
}
"""What the OpenAPI document says about a protected route."""
