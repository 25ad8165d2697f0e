"""How the provider words its answers. No page shows the body of an error: this one is likely."""

import json
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

FORM = "application/x-www-form-urlencoded"
NO_STORE = {"Cache-Control": "no-store"}

_MEANINGS = {
    "invalid_client": "Client authentication failed.",
    "invalid_grant": "The code is unknown.",
    "invalid_request": "A parameter is missing or malformed.",
    "invalid_scope": "The scope is unknown or malformed.",
    "unauthorized_client": "The client may not use this grant.",
}


class OAuthError(Exception):
    """A refusal of the OAuth endpoints (RFC 6749, section 5.2)."""

    def __init__(self, code: str, hint: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.description = f"{_MEANINGS[code]} {hint}".rstrip()
        self.status = 401 if code == "invalid_client" else 400


class ApiError(Exception):
    """A refusal of the REST endpoints: `AVNOLOGY_AUTH_` and a number."""

    def __init__(self, status: int, number: str, message: str) -> None:
        super().__init__(number)
        self.status = status
        self.code = f"AVNOLOGY_AUTH_{number}"
        self.message = message


async def refuse(request: Request, error: Exception) -> Response:
    """Answer an `OAuthError`."""
    assert isinstance(error, OAuthError)
    document = {"error": error.code, "error_description": error.description}
    return answer(document, error.status, NO_STORE)


async def refuse_call(request: Request, error: Exception) -> Response:
    """Answer an `ApiError`."""
    assert isinstance(error, ApiError)
    return api_refusal(error.status, error.code, error.message)


async def not_found(request: Request, error: Exception) -> Response:
    """Answer a path that there is not."""
    return api_refusal(404, "AVNOLOGY_AUTH_901", "Not found")


def api_refusal(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with the fields that an error of the client has."""
    request_id = f"req_{secrets.token_hex(8)}"
    document = {"code": code, "message": message, "details": {}, "request_id": request_id}
    return answer(document, status, {"X-Request-Id": request_id, **(headers or {})})


def answer(
    document: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with JSON."""
    return Response(
        json.dumps(document), status, {**(headers or {}), "Content-Type": "application/json"}
    )


async def read_form(request: Request) -> dict[str, list[str]]:
    """Return the fields of a form. Raises `OAuthError` where there is none."""
    body = await request.body()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != FORM or not body:
        raise OAuthError("invalid_request", "The body must be a form.")
    return parse_qs(body.decode("latin-1"), keep_blank_values=True)
