"""Why a delivery is refused, and what its sender sees.

WebhookRefused
    InvalidSignature         401  nobody vouches for it
    PayloadTooLarge          413  it is larger than it may be
    UnsupportedMediaType     415  it is compressed, or no JSON
    InvalidPayload           400  it is signed, but no event
InboxUnavailable             503  it could not be stored; the sender has to send it again

The `reason` of each is a fixed word for the log. Nothing of the delivery goes into an exception.
"""

from typing import Any

from app.auth.errors import AuthError, ProviderUnavailable, Refusal


class WebhookRefused(AuthError):
    """A delivery that is not taken. There is no challenge: no token would help."""

    def headers(self, realm: str) -> dict[str, str]:
        return {}


class InvalidSignature(WebhookRefused):
    """Nobody vouches for the delivery. The sender never learns which rule failed."""

    status = 401
    detail = "Invalid signature"


class PayloadTooLarge(WebhookRefused):
    """The body is larger than `WEBHOOK_MAX_BYTES`."""

    status = 413
    detail = "Payload too large"

    def headers(self, realm: str) -> dict[str, str]:
        # The rest of the body would be read as the next request.
        return {"Connection": "close"}


class UnsupportedMediaType(WebhookRefused):
    """The body is compressed, or its content type is not JSON."""

    status = 415
    detail = "Unsupported media type"


class InvalidPayload(WebhookRefused):
    """The body is not an event: not UTF-8, not JSON, without an id or a type."""

    status = 400
    detail = "Invalid payload"


class InboxUnavailable(ProviderUnavailable):
    """The event may not be stored. The sender's repeat is the same event."""

    detail = "Inbox unavailable"


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "Signed, but not an event"},
    401: {"model": Refusal, "description": "Not signed, wrongly signed, too old or too new"},
    413: {"model": Refusal, "description": "The body is too large"},
    415: {"model": Refusal, "description": "The body is compressed, or not JSON"},
    503: {"model": Refusal, "description": "The inbox does not answer: send it again"},
}
"""What the OpenAPI document says about a route that takes deliveries."""
