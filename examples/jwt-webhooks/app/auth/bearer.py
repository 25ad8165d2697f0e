"""The dependency of a protected route: from the `Authorization` header to a `Principal`.

A route has a parameter `Annotated[Principal, Security(bearer, scopes=["read:widgets"])]`.
"""

import hashlib
import logging
import re
from collections.abc import Sequence

from fastapi import HTTPException, WebSocketException
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection
from starlette.status import WS_1008_POLICY_VIOLATION
from starlette.types import Scope

from app.about import REALM
from app.auth import errors
from app.auth.claims import TokenVerifier
from app.auth.metadata import metadata_url
from app.auth.policy import admit
from app.auth.principal import Principal
from app.metrics import REFUSED
from app.settings import Settings

logger = logging.getLogger("app.auth")

MAX_TOKEN_LENGTH = 8192  # bytes: the largest tokens of the platform have about half of that

# The scheme in any case. A longer name is another scheme.
_SCHEME = re.compile(rb"bearer(?![!#$%&'*+.^_`|~0-9a-z-])", re.IGNORECASE)
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")  # `b64token` of RFC 6750, section 2.1


class Bearer(SecurityBase):
    """A security dependency for bearer tokens (RFC 6750), documented in OpenAPI with its scopes.

    It protects routes of HTTP requests and of WebSockets. `machine` restricts the callers: `False`
    to users, `True` to machines, `None` not at all. `max_age` is that of `TokenVerifier.verify`.
    Raises `AuthError`, which becomes the response, and `WebSocketException` where a server can only
    close a refused WebSocket.
    """

    def __init__(self, *, machine: bool | None = None, max_age: float | None = None) -> None:
        self.model = HTTPBearer()
        self.scheme_name = "bearer"
        self.machine = machine
        self.max_age = max_age

    async def __call__(
        self, connection: HTTPConnection, security_scopes: SecurityScopes
    ) -> Principal:
        state = connection.scope["state"]
        verifier: TokenVerifier = state["verifier"]
        token: str | None = None
        try:
            token = bearer_token(connection.scope)
            claims = await verifier.verify(token, max_age=self.max_age)
            principal = admit(claims, state["settings"], state["clock"]())
            state["client_id"] = principal.client_id  # for the log
            check_caller(principal, self.machine)
            check_scopes(principal, security_scopes.scopes)
        except errors.AuthError as refusal:
            raise response_to(refusal, connection.scope, token) from None
        return principal


bearer = Bearer()
user_bearer = Bearer(machine=False)
machine_bearer = Bearer(machine=True)


def check_header(scope: Scope) -> None:
    """Raise `AuthError` unless the request of `scope` has a well-formed token. Verifies nothing."""
    try:
        bearer_token(scope)
    except errors.AuthError as refusal:
        raise response_to(refusal, scope, None) from None


def bearer_token(scope: Scope) -> str:
    """Return the token of an ASGI `scope`, from its one `Authorization` header and nowhere else.

    Raises `NotAuthenticated`, `InvalidRequest` or `InvalidToken` (RFC 6750, sections 2.1 and 3.1).
    """
    values: list[bytes] = [value for name, value in scope["headers"] if name == b"authorization"]
    if not values:
        raise errors.NotAuthenticated("no_header")
    if len(values) > 1:
        raise errors.InvalidRequest("two_headers")
    credentials = values[0]
    scheme = _SCHEME.match(credentials)
    if scheme is None:
        raise errors.NotAuthenticated("other_scheme")
    token = credentials[scheme.end() :].strip(b" ")
    if not token:
        raise errors.NotAuthenticated("no_token")
    if token_in_query(scope):
        raise errors.InvalidRequest("token_in_query")
    if len(token) > MAX_TOKEN_LENGTH:
        raise errors.InvalidToken("too_long")
    if credentials[scheme.end()] != ord(" ") or not _TOKEN.fullmatch(token):
        raise errors.InvalidToken("malformed")
    return token.decode("ascii")


def token_in_query(scope: Scope) -> bool:
    """Tell whether a token was sent in the query, where logs and proxies would see it."""
    query: bytes = scope.get("query_string", b"")
    return bool(query) and "access_token" in QueryParams(query)


def check_caller(principal: Principal, machine: bool | None) -> None:
    """Refuse a machine where a user is needed, and a user where a machine is."""
    if machine is not None and principal.is_machine is not machine:
        raise errors.WrongCaller("Machine token required" if machine else "User token required")


def check_scopes(principal: Principal, required: Sequence[str]) -> None:
    """Refuse unless the token has every scope of the route, compared as text (RFC 6749, 3.3)."""
    if not principal.scopes.issuperset(required):
        raise errors.InsufficientScope(required)


def response_to(
    refusal: errors.AuthError, scope: Scope, token: str | None
) -> HTTPException | WebSocketException:
    """Log a refusal and return the exception that becomes its response."""
    log_refusal(refusal, token)
    settings: Settings = scope["state"]["settings"]
    url = metadata_url(settings.resource_url) if settings.resource_url else None
    refusal.add_challenge(REALM, url)
    can_deny = "websocket.http.response" in (scope.get("extensions") or ())
    if scope["type"] == "websocket" and not can_deny:
        return WebSocketException(WS_1008_POLICY_VIOLATION, refusal.detail)
    return refusal


def log_refusal(refusal: errors.AuthError, token: str | None) -> None:
    """Count and log a refusal. The token appears as the first digits of its hash."""
    REFUSED.labels(refusal.reason).inc()
    level = logging.WARNING if isinstance(refusal, errors.ProviderUnavailable) else logging.INFO
    digest = hashlib.sha256(token.encode()).hexdigest()[:12] if token else "-"
    values = refusal.status_code, refusal.reason, digest
    logger.log(level, "request refused status=%d reason=%s token=%s", *values)
