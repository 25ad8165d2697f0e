"""`client.oauth`: what a token stands for, and a token for this client itself."""

from collections.abc import Iterable

from avnology_id.answers import read
from avnology_id.options import Paths
from avnology_id.platform import FORM, Platform
from avnology_id.results import TokenIntrospection, TokenSet, token_introspection


class OAuth:
    """The OAuth 2.0 calls (`/docs/sdks/python/oauth/tokens`)."""

    def __init__(self, platform: Platform, paths: Paths) -> None:
        self._platform = platform
        self._introspection = platform.endpoint("POST", paths.introspection, FORM)

    async def introspect_token(self, *, token: str) -> TokenIntrospection:
        """Return what the platform says about `token` (`/docs/api/oauth/introspect`).

        A token that expired, was revoked, is unknown or was issued to a client that this one may
        not ask about is not `active`, and no error. Raises `AvnologyIdError`: without a usable
        answer an `ApiError`, `NetworkError` or `TimeoutError`, and an `OAuthError` or
        `UnauthorizedError` when this client's credentials are refused.
        """
        reply = await self._platform.ask(self._introspection, {"token": token})
        return read(reply, lambda document: token_introspection(document, reply.body))

    async def client_credentials(self, *, scopes: Iterable[str] = ()) -> TokenSet:
        """Return a token for this client itself (`/docs/sdks/python/oauth/client-credentials`).

        It is kept for the same set of `scopes` and renewed before it ends. Raises
        `AvnologyIdError` as `introspect_token` does.
        """
        return await self._platform.tokens.get(frozenset(scopes))
