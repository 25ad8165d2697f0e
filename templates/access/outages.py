"""Turns errors of the Avnology client into responses."""

import logging

from avnology_id import errors

from app.auth.errors import ProviderUnavailable

logger = logging.getLogger("app.auth")


def unavailable(error: errors.AvnologyIdError) -> ProviderUnavailable:
    """Return the refusal that `error` becomes, and log what an operator looks for.

    The platform's own text stays out of both: it may hold a token or a name.
    """
    if isinstance(error, errors.OAuthError) or error.status_code in (401, 403):
        # Our own credentials: never the caller's fault, and only an operator can fix them.
        logger.error("identity provider refuses this service %s", _marks(error))
        return ProviderUnavailable("own_credentials", lacks="credentials that it accepts")
    logger.warning("identity provider failed %s", _marks(error))
    if isinstance(error, errors.RateLimitError):
        return ProviderUnavailable("rate_limit", error.retry_after or 5)
    if error.status_code in (None, 200):
        return ProviderUnavailable(error.code)
    return ProviderUnavailable(f"status_{error.status_code}")


def _marks(error: errors.AvnologyIdError) -> str:
    marks = {
        "code": error.code,
        "status": error.status_code,
        "request_id": error.request_id,
        "error": error.details.get("error") if error.status_code is None else None,
    }
    return " ".join(f"{name}={value}" for name, value in marks.items() if value is not None)
