"""What an answer of the platform says, read strictly, or the error that it stands for."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from avnology_id import errors
from avnology_id.wire import Reply, retry_after

Result = TypeVar("Result")

# What may be shown: the platform's own codes, those of OAuth, and ids too short for a token
_CODE = re.compile(r"AVNOLOGY_[A-Z_]{1,32}[0-9]{1,6}|[a-z]+(?:_[a-z]+){0,5}")
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,40}")
_BY_STATUS: Mapping[int, type[errors.AvnologyIdError]] = {
    400: errors.ValidationError,
    401: errors.UnauthorizedError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    422: errors.ValidationError,
    423: errors.AccountLockedError,
}
_BY_CODE: Mapping[str, type[errors.AvnologyIdError]] = {
    "AVNOLOGY_AUTH_001": errors.InvalidCredentialsError,
    "AVNOLOGY_AUTH_002": errors.AccountLockedError,
    "invalid_grant": errors.InvalidGrantError,
    "invalid_client": errors.InvalidClientError,
    "invalid_scope": errors.InvalidScopeError,
    "insufficient_scope": errors.InsufficientScopeError,
}


class Malformed(ValueError):
    """The answer is not what the documentation promises. The text names the field, no value."""


def read(reply: Reply, make: Callable[[dict[str, object]], Result]) -> Result:
    """Return what `make` makes of the object in `reply`. Raises `ApiError` where it cannot."""
    try:
        return make(parse_object(reply.body))
    except Malformed:
        raise errors.ApiError(
            "the answer is not what the documentation promises",
            code="malformed_answer",
            status_code=reply.status,
            request_id=_request_id(reply, {}),
        ) from None


def parse_object(raw: bytes) -> dict[str, object]:
    """Parse a JSON object: UTF-8, no name twice, finite numbers, no half of a surrogate pair."""
    try:
        text = raw.decode()
        document: object = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        # `from None`: the exception of a parser quotes what it could not parse
        raise Malformed("the document is not JSON") from None
    if not isinstance(document, dict):
        raise Malformed("the document is not an object")
    return document


def text(document: Mapping[str, object], name: str) -> str | None:
    """Return a text that may be missing or null."""
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise Malformed(name)
    return value


def number(document: Mapping[str, object], name: str) -> float | None:
    """Return a number that may be missing or null."""
    value = document.get(name)
    # `bool` is an `int` to Python, not to JSON
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Malformed(name)
    return value


def flag(document: Mapping[str, object], name: str) -> bool:
    """Return a yes or no that has to be there."""
    value = document.get(name)
    if not isinstance(value, bool):
        raise Malformed(name)
    return value


def texts(document: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Return a text or a list of them, none where it is missing or null."""
    value = document.get(name)
    if value is None:
        return ()
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        raise Malformed(name)
    return tuple(values)


def error_of(reply: Reply, now: float) -> errors.AvnologyIdError:
    """Return the error that an answer stands for. `now` in seconds since 1970.

    No page shows the body of one: read are the documented fields, flat or below `error`, and what
    OAuth defines (`error`, `error_description`).
    """
    document = _refusal(reply.body)
    inner = document.get("error")
    fields: Mapping[str, Any] = inner if isinstance(inner, dict) else document
    code = _shown(fields.get("code"), _CODE) or _shown(inner, _CODE)
    details = fields.get("details")
    message = fields.get("message", document.get("error_description"))
    wait = reply.headers.get("retry-after")
    limited = reply.status in (423, 429)
    return _kind(reply.status, code, isinstance(inner, str))(
        message if isinstance(message, str) else "",
        code=code or f"status_{reply.status}",
        status_code=reply.status,
        request_id=_request_id(reply, fields),
        details=details if isinstance(details, dict) else None,
        retry_after=retry_after(wait, now) if limited else None,
    )


def _kind(status: int, code: str | None, oauth: bool) -> type[errors.AvnologyIdError]:
    if status == 429:
        return errors.RateLimitError
    if not 400 <= status < 500:
        return errors.ApiError
    if code is not None and code in _BY_CODE:
        return _BY_CODE[code]
    return errors.OAuthError if oauth else _BY_STATUS.get(status, errors.ApiError)


def _refusal(body: bytes) -> dict[str, object]:
    try:
        return parse_object(body)
    except Malformed:
        return {}


def _request_id(reply: Reply, fields: Mapping[str, object]) -> str | None:
    return _shown(reply.headers.get("x-request-id"), _ID) or _shown(fields.get("request_id"), _ID)


def _shown(value: object, form: re.Pattern[str]) -> str | None:
    """Return `value` if it is one that a log line may hold: what repeats a token is not."""
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _unique_names(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    pairs = list(pairs)
    document = dict(pairs)
    if len(document) != len(pairs):
        raise Malformed("a name stands twice")
    return document


def _refuse_constant(name: str) -> object:
    raise Malformed("NaN and Infinity are not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Malformed("a number is too large")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_names, parse_constant=_refuse_constant, parse_float=_finite
)
