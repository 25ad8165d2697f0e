"""What the client raises: those of `/docs/sdks/python/types/errors` that need different treatment.

AvnologyIdError
    OAuthError       the credentials of this client are refused
    NotFoundError    there is no such user
    ValidationError  an id that no user or object can have
    RateLimitError   too many calls

As text, an error is its code and its status. The platform's own text may hold a token or a name, so
no error keeps it.
"""


class AvnologyIdError(Exception):
    """A call that failed. `status_code` and `request_id` are `None` without a response."""

    def __init__(
        self,
        code: str,
        *,
        message: str = "",
        status_code: int | None = None,
        request_id: str | None = None,
        retry_after: int = 5,
    ) -> None:
        super().__init__(code if status_code is None else f"{code} (status {status_code})")
        self.code = code
        self.message = message
        """The name of the cause where no response could be read, else empty."""
        self.status_code = status_code
        self.request_id = request_id
        self.retry_after = retry_after
        """Seconds to wait, 1 to 3600."""


class OAuthError(AvnologyIdError):
    """A refusal in the words of OAuth 2.0 (RFC 6749, section 5.2)."""


class NotFoundError(AvnologyIdError):
    """There is no such user: `AVNOLOGY_AUTH_901`."""


class ValidationError(AvnologyIdError):
    """An id is not valid, and was not sent. `code` says which one."""


class RateLimitError(AvnologyIdError):
    """Too many calls. `retry_after` says how long to wait."""
