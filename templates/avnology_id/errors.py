"""What the client raises (`/docs/sdks/python/types/errors`).

AvnologyIdError
    AuthError           of the sign-in flows: InvalidCredentialsError, AccountLockedError,
                        AccountDisabledError, MfaRequiredError, InvalidCodeError, ExpiredFlowError,
                        PasswordBreachedError, PasswordTooWeakError, DuplicateAccountError
    OAuthError          InvalidGrantError, InvalidClientError, InvalidScopeError,
                        InsufficientScopeError
    ApiError            NotFoundError, ForbiddenError, UnauthorizedError, ValidationError,
                        ConflictError
    RateLimitError
    NetworkError        there is no answer that can be read
    TimeoutError        there is none in time; not the built-in one, so import it qualified

As text, an error is its code and its status: what the platform wrote may hold a token or a name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class AvnologyIdError(Exception):
    """The base of all of them. `status_code` and `request_id` are `None` without an answer."""

    def __init__(
        self,
        message: str = "",
        *,
        code: str,
        status_code: int | None = None,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(code if status_code is None else f"{code} (status {status_code})")
        self.code = code
        self.status_code = status_code
        self.message = message
        self.request_id = request_id
        self.details: dict[str, Any] = dict(details or {})
        self.retry_after = retry_after
        """Seconds to wait, 1 to 3600, where the platform says so."""

    def _text(self, name: str) -> str:
        value = self.details.get(name)
        return value if isinstance(value, str) else ""

    def _number(self, name: str) -> int:
        value = self.details.get(name)
        return value if isinstance(value, int) else 0

    def _list(self, name: str) -> list[Any]:
        value = self.details.get(name)
        return value if isinstance(value, list) else []


class AuthError(AvnologyIdError):
    """A sign-in does not go on."""


class InvalidCredentialsError(AuthError):
    """Wrong name or password: `AVNOLOGY_AUTH_001`."""


class AccountLockedError(AuthError):
    """Too many attempts: `AVNOLOGY_AUTH_002`. `retry_after` in seconds."""


class AccountDisabledError(AuthError):
    """An operator disabled the account."""


class MfaRequiredError(AuthError):
    """A second factor is wanted."""

    @property
    def flow_id(self) -> str:
        """The sign-in to go on with."""
        return self._text("flow_id")

    @property
    def available_methods(self) -> list[str]:
        """The factors that the account has."""
        return [method for method in self._list("available_methods") if isinstance(method, str)]


class InvalidCodeError(AuthError):
    """The code of a second factor is wrong."""

    @property
    def attempts_remaining(self) -> int:
        """How often another code may be tried."""
        return self._number("attempts_remaining")


class ExpiredFlowError(AuthError):
    """The sign-in took too long."""


class PasswordBreachedError(AuthError):
    """The password is on a public list."""


class PasswordTooWeakError(AuthError):
    """The password breaks a rule."""

    @property
    def reason(self) -> str:
        """The rule."""
        return self._text("reason")


class DuplicateAccountError(AuthError):
    """There is an account of that name."""


class OAuthError(AvnologyIdError):
    """A refusal in the words of OAuth 2.0 (RFC 6749, section 5.2)."""


class InvalidGrantError(OAuthError):
    """A code or a refresh token is not good."""


class InvalidClientError(OAuthError):
    """The client's own credentials are not good."""


class InvalidScopeError(OAuthError):
    """The client may not ask for such a scope."""


class InsufficientScopeError(OAuthError):
    """The token lacks a scope."""


class ApiError(AvnologyIdError):
    """A refusal of the REST interface, or an answer of it that cannot be used."""


class NotFoundError(ApiError):
    """There is no such thing: `AVNOLOGY_AUTH_901`."""


class ForbiddenError(ApiError):
    """The client may not do that: `AVNOLOGY_AUTH_100`. Not how a permission is denied."""


class UnauthorizedError(ApiError):
    """The token or the API key of this client is not good: `AVNOLOGY_AUTH_005`."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field."""

    field: str
    message: str


class ValidationError(ApiError):
    """The input is not valid: `AVNOLOGY_AUTH_902`, with status 400 or 422."""

    @property
    def field_errors(self) -> list[FieldError]:
        """What is wrong, by field."""
        return [
            FieldError(str(problem.get("field", "")), str(problem.get("message", "")))
            for problem in self._list("field_errors")
            if isinstance(problem, dict)
        ]


class ConflictError(ApiError):
    """There is such a thing already: `AVNOLOGY_AUTH_903`."""


class RateLimitError(AvnologyIdError):
    """Too many calls. `retry_after` in seconds."""

    @property
    def limit(self) -> int:
        """How many calls are allowed, 0 where that is not said."""
        return self._number("limit")

    @property
    def remaining(self) -> int:
        """How many of them are left."""
        return self._number("remaining")


class NetworkError(AvnologyIdError):
    """There is no answer that can be read. `code` says why."""


class TimeoutError(AvnologyIdError):
    """There is no answer in time."""
