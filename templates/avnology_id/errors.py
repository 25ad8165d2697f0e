"""What the client raises: the part of `/docs/sdks/python/types/errors` that its calls need.

AvnologyIdError
    OAuthError          the credentials of this client are refused
    ApiError            any other refusal, or a response that cannot be used
        NotFoundError   there is no such user
        ValidationError an id that cannot be sent
    RateLimitError      too many calls
    NetworkError        there is no response that can be read
    TimeoutError        there is none in time; not the built-in one, so import it qualified

As text, an error is its code and its status. The platform's own text may hold a token or a name, so
no error keeps it.
"""


class AvnologyIdError(Exception):
    """The base of all of them. `status_code` and `request_id` are `None` without a response."""

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
        """The name of the cause, where a call failed on its way."""
        self.status_code = status_code
        self.request_id = request_id
        self.retry_after = retry_after
        """Seconds to wait, 1 to 3600."""


class OAuthError(AvnologyIdError):
    """A refusal in the words of OAuth 2.0 (RFC 6749, section 5.2)."""


class ApiError(AvnologyIdError):
    """A refusal of the REST interface, or a response of it that cannot be used."""


class NotFoundError(ApiError):
    """There is no such thing: `AVNOLOGY_AUTH_901`."""


class ValidationError(ApiError):
    """The input is not valid, and was not sent."""


class RateLimitError(AvnologyIdError):
    """Too many calls. `retry_after` says how long to wait."""


class NetworkError(AvnologyIdError):
    """There is no response that can be read. `code` says why."""


class TimeoutError(AvnologyIdError):
    """There is no response in time."""
