"""Why a delivery is refused, and what its sender sees."""

from typing import Any

from fastapi import HTTPException

from app.auth.errors import Refusal

DETAILS = {
    400: "Invalid payload",
    401: "Invalid signature",
    409: "Event id already used",
    413: "Payload too large",
    415: "Unsupported media type",
    503: "Inbox unavailable",
}
CLOSE = {"Connection": "close"}  # the rest of the body must not be read as the next request
RETRY = {"Retry-After": "5"}
HEADERS = {413: CLOSE, 503: RETRY}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": detail} for status, detail in DETAILS.items()
}


class DeliveryRefused(HTTPException):
    """A delivery that is not stored. `reason` is a fixed word for the log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, DETAILS[status], HEADERS.get(status))
        self.reason = reason
