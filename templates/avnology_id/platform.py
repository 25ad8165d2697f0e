"""Calls to the platform with the credentials of this client: what every part of it stands on."""

import asyncio
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import httpx
from avnology_id import errors
from avnology_id.answers import error_of, read
from avnology_id.results import TokenSet, token_set
from avnology_id.tokens import OwnTokens
from avnology_id.wire import Endpoint, NoAnswer, Reply, Wire, network

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Platform:
    """The platform as one client reaches it. `clock` gives seconds since 1970.

    A call is sent once more after an error of the connection, and for nothing else. What consists
    of several calls takes `timeout` seconds in all, as one does.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Mapping[str, str],
        api_key: str | None,
        timeout: float,
        transport: httpx.AsyncBaseTransport | None,
        clock: Callable[[], float],
        token_path: str,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._credentials = b"&" + urlencode(credentials).encode()
        self._api_key = api_key
        self._timeout = timeout
        self._transport = transport
        self._clock = clock
        self._wire: Wire | None = None
        self._closed = False
        self._token_endpoint = self.endpoint("POST", token_path, FORM)
        self.tokens = OwnTokens(self._fetch_token, clock)

    def endpoint(self, method: str, path: str, headers: Mapping[str, str]) -> Endpoint:
        """Return an address of the platform. `path` is escaped already."""
        return Endpoint(method, self._base_url + path, headers)

    async def ask(self, endpoint: Endpoint, fields: Mapping[str, str]) -> Reply:
        """Send a form, with the credentials in it as the platform wants them."""
        return await self._send(endpoint, urlencode(fields).encode() + self._credentials)

    async def call(
        self, method: str, path: str, scopes: frozenset[str], body: bytes | None = None
    ) -> Reply:
        """Make a call with the API key, else with a token of this client that has `scopes`.

        A token that is refused is replaced once.
        """
        try:
            async with asyncio.timeout(self._timeout):
                if self._api_key is not None:
                    return await self._authorized(method, path, self._api_key, body)
                token = await self.tokens.get(scopes)
                try:
                    return await self._authorized(method, path, token.access_token, body)
                except errors.AvnologyIdError as error:
                    if error.status_code != 401:
                        raise
                self.tokens.discard(scopes, token)
                token = await self.tokens.get(scopes)
                return await self._authorized(method, path, token.access_token, body)
        except TimeoutError:
            raise errors.TimeoutError(code="timeout") from None

    async def close(self) -> None:
        """Close the connections. Nothing can be called any more; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        await self.tokens.close()
        if self._transport is not None:
            await self._transport.aclose()

    async def _authorized(
        self, method: str, path: str, credential: str, body: bytes | None
    ) -> Reply:
        headers = {"Authorization": f"Bearer {credential}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await self._send(self.endpoint(method, path, headers), body)

    async def _fetch_token(self, scopes: frozenset[str]) -> TokenSet:
        fields = {"grant_type": "client_credentials"}
        if scopes:
            fields["scope"] = " ".join(sorted(scopes))
        # Counted from before the call, so that the token is never used after its expiry.
        now = self._clock()
        reply = await self.ask(self._token_endpoint, fields)
        return read(reply, lambda document: token_set(document, now))

    async def _send(self, endpoint: Endpoint, body: bytes | None) -> Reply:
        """Return an answer with status 200. Raises the error that any other one stands for."""
        try:
            reply = await self._opened().send(endpoint.request(body))
        except NoAnswer as failure:
            if failure.reason == "timeout":
                raise errors.TimeoutError(code="timeout") from None
            details = {"error": failure.error} if failure.error else None
            raise errors.NetworkError(code=failure.reason, details=details) from None
        if reply.status != 200:
            raise error_of(reply, self._clock())
        return reply

    def _opened(self) -> Wire:
        """Return the wire, which is not there before the first call: it needs a running loop."""
        if self._closed:
            raise errors.NetworkError("the client is closed", code="closed")
        if self._wire is None:
            if self._transport is None:
                self._transport = network()
            self._wire = Wire(self._transport, self._timeout)
        return self._wire
