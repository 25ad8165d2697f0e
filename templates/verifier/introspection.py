"""Asks Olympus about a token: introspection (RFC 7662) at Hydra's admin listener."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import quote_plus

import httpx
from pydantic import Field, SecretStr, ValidationInfo, field_validator

from app.auth.claims import Claims, MalformedClaims, parse_claims, parse_object
from app.auth.errors import InvalidToken, ProviderUnavailable
from app.http import Endpoint, ProviderClient, check_status, open_client
from app.settings import ProviderUrl, Settings

PROBE = "readiness-probe"
"""A token that no provider issues: asking about it proves that asking works."""


class ProviderSettings(Settings):
    """Where Olympus is asked."""

    url: ProviderUrl = Field(
        alias="HYDRA_INTROSPECT_URL",
        description="the full URL of Hydra's introspection endpoint, on its admin listener",
        examples=["http://ciam-hydra:5003/admin/oauth2/introspect"],
    )
    user: str | None = Field(
        default=None,
        alias="HYDRA_ADMIN_USER",
        description="the user name for a proxy in front of the admin listener",
        examples=["widget-service"],
    )
    password: SecretStr | None = Field(
        default=None,
        validate_default=True,
        alias="HYDRA_ADMIN_PASS",
        description="the password for a proxy in front of the admin listener",
        examples=["..."],
    )
    issuer: ProviderUrl | None = Field(
        default=None,
        alias="OLYMPUS_ISSUER",
        description="the issuer exactly as Hydra names itself in `iss`",
        examples=["https://oauth.ciam.example.com"],
    )

    @field_validator("password")
    @classmethod
    def _both_or_neither(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (info.data.get("user") is None) != (password is None):
            raise ValueError("goes together with HYDRA_ADMIN_USER: set both or neither")
        return password


class ProviderVerifier:
    """Asks the provider about every token, so a revocation shows at the next request."""

    def __init__(
        self, settings: ProviderSettings, client: ProviderClient, clock: Callable[[], float]
    ) -> None:
        self._endpoint = Endpoint("POST", settings.url, form_headers(settings))
        self._client = client
        self._clock = clock

    async def verify(self, token: str, *, max_age: float | None = None) -> Claims:
        """Return what the provider says about `token` (RFC 7662, section 2.2).

        Raises `InvalidToken` for an inactive one, `ProviderUnavailable` without a usable answer.
        """
        check_prefix(token)
        # No `scope` field: Hydra would answer "inactive" where a scope is missing, and hide a 403.
        # No `token_type_hint`: it never restricts the answer to access tokens.
        form = b"token=" + quote_plus(token).encode()
        answer = await self._client.send(self._endpoint.request(form))
        check_status(answer, self._clock)
        try:
            document = parse_object(answer.body)
            check_active(document)
            return parse_claims(document)
        except MalformedClaims:
            raise ProviderUnavailable("malformed_answer") from None

    async def check(self) -> None:
        """Ask about a token that cannot exist: address, credentials and answer must be right."""
        try:
            await self.verify(PROBE)
        except InvalidToken:
            return
        raise ProviderUnavailable("active_probe")


@asynccontextmanager
async def open_verifier(
    settings: ProviderSettings,
    time_limit: float,
    transport: httpx.AsyncBaseTransport | None,
    clock: Callable[[], float],
) -> AsyncIterator[ProviderVerifier]:
    """Open the verifier for the life of the service. `time_limit` in seconds, for one call."""
    async with open_client(time_limit, transport) as client:
        yield ProviderVerifier(settings, client, clock)


def form_headers(settings: ProviderSettings) -> dict[str, str]:
    """Return the headers of a question, with the credentials of this service if it has any.

    They are sent as HTTP Basic, form-encoded (RFC 6749, section 2.3.1).
    """
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if settings.user is not None and settings.password is not None:
        pair = f"{quote_plus(settings.user)}:{quote_plus(settings.password.get_secret_value())}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return headers


def check_prefix(token: str) -> None:
    """Refuse what is visibly a refresh token or a code of Hydra, before anyone is asked."""
    if token.startswith(("ory_rt_", "ory_ac_")):
        raise InvalidToken("prefix")


def check_active(document: dict[str, object]) -> None:
    """Refuse a token that the provider does not vouch for. Only a JSON `true` is a yes."""
    active = document.get("active")
    if active is False:
        raise InvalidToken("inactive")
    if active is not True:
        raise MalformedClaims("active")
