"""How the provider words its answers: the headers, errors and pages of Ory Hydra."""

import json
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

FORM = "application/x-www-form-urlencoded"
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
PRIVATE = {"Cache-Control": "private, no-cache, no-store, must-revalidate"}

_MEANINGS = {
    "invalid_client": "Client authentication failed (e.g., unknown client, no client"
    " authentication included, or unsupported authentication method).",
    "invalid_request": "The request is missing a required parameter, includes an invalid parameter"
    " value, includes a parameter more than once, or is otherwise malformed.",
    "invalid_scope": "The requested scope is invalid, unknown, or malformed.",
    "unauthorized_client": "The client is not authorized to request a token using this method.",
}


class OAuthError(Exception):
    """A refusal of the protocol endpoints (RFC 6749, section 5.2)."""

    def __init__(self, code: str, hint: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.description = f"{_MEANINGS[code]} {hint}".rstrip()
        self.status = 401 if code == "invalid_client" else 400


async def refuse(request: Request, error: Exception) -> Response:
    """Answer an `OAuthError`."""
    assert isinstance(error, OAuthError)
    document = {"error": error.code, "error_description": error.description}
    return protocol_answer(document, error.status, NO_STORE)


def protocol_answer(
    document: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer as the protocol endpoints do, whose content type is spelt in its own way."""
    return _json(document, status, "application/json;charset=UTF-8", headers)


def api_answer(
    document: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer as the admin and health endpoints do."""
    return _json(document, status, "application/json; charset=utf-8", headers)


def _json(
    document: object, status: int, content_type: str, headers: Mapping[str, str] | None
) -> Response:
    body = json.dumps(document, separators=(",", ":"))
    return Response(body, status, {**(headers or {}), "Content-Type": content_type})


async def read_form(request: Request) -> dict[str, list[str]]:
    """Return the fields of a form. Raises `OAuthError` where there is none."""
    body = await request.body()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != FORM or not body:
        raise OAuthError("invalid_request", "The POST body can not be empty.")
    return parse_qs(body.decode("latin-1"), keep_blank_values=True)


async def public_not_found(request: Request, error: Exception) -> Response:
    """Answer a path that the public listener does not know: a page for people."""
    page = "<!DOCTYPE html>\n<title>Not Found</title>\n<h1>Route not found</h1>\n"
    return HTMLResponse(page, 404, _headers_of(request))


async def admin_not_found(request: Request, error: Exception) -> Response:
    """Answer a path that the admin listener does not know."""
    return _plain("404 page not found\n", 404, _headers_of(request))


async def wrong_method(request: Request, error: Exception) -> Response:
    """Answer a method that a path does not have. `error` names those it has."""
    allowed: Mapping[str, str] = getattr(error, "headers", None) or {}
    return _plain("Method Not Allowed\n", 405, {**_headers_of(request), **allowed})


def _headers_of(request: Request) -> dict[str, str]:
    return dict(PRIVATE) if request.method == "GET" else {}


def _plain(text: str, status: int, headers: Mapping[str, str]) -> Response:
    return PlainTextResponse(text, status, {**headers, "X-Content-Type-Options": "nosniff"})
