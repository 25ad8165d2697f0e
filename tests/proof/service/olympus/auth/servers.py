"""Servers on a real socket that play the identity provider, and what the verifier makes of one."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from app.auth.errors import ProviderUnavailable
from app.auth.verifier import open_verifier
from app.settings import Settings
from tests.callers import Clock
from tests.conftest import read_settings

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENCE = 10.0
"""Seconds that a call may take where its limit is not what matters."""
MODULUS = b"_" * 342
DOCUMENT = b'{"active":false,"keys":[{"kty":"RSA","alg":"RS256","e":"AQAB","n":"%b"}]}' % MODULUS
"""What makes the provider ready in each mode: no token is active, and there is a key."""
HEAD = b"HTTP/1.1 200 OK\r\n"
OK = HEAD + b"Content-Length: %d\r\n\r\n" % len(DOCUMENT) + DOCUMENT


class Server:
    """Serves connections on loopback: each with the next of `handlers`, later ones the last."""

    def __init__(self, *handlers: Handler, tls: ssl.SSLContext | None = None) -> None:
        """Serve with TLS if there is a context for it."""
        self.handlers = handlers
        self.tls = tls
        self.connections = 0

    async def __aenter__(self) -> str:
        self.listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        return f"localhost:{self.listener.sockets[0].getsockname()[1]}/"

    async def __aexit__(self, *_: object) -> None:
        self.listener.close()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.handlers[min(self.connections, len(self.handlers)) - 1](reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection before the request is read."""


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 40\r\n\r\n")
    for _ in range(40):
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Read a request with its form, if it has one. Return its head."""
    head = await reader.readuntil(b"\r\n\r\n")
    if head.startswith(b"POST"):
        await reader.readuntil(b"token=readiness-probe")
    return head


def says(response: bytes, after: float = 0) -> Handler:
    """Respond to a request with these bytes, `after` some seconds, and close."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(after)
        await read_request(reader)
        writer.write(response)
        await writer.drain()

    return handler


def settings_for(url: str, limit: float = PATIENCE) -> Settings:
    """Return the settings of a service whose provider is at `url`."""
    urls = {"HYDRA_INTROSPECT_URL": url, "OLYMPUS_JWKS_URL": url}
    return read_settings(Settings, **urls, IDP_TIMEOUT=str(limit))


async def outcome(server: Server, limit: float = PATIENCE, scheme: str = "http") -> str:
    """Return `ok` or the reason why the provider is not ready, by the network of production."""
    async with server as address:
        settings = settings_for(f"{scheme}://{address}", limit)
        async with open_verifier(settings, None, Clock()) as verifier:
            try:
                await verifier.check()
            except ProviderUnavailable as refusal:
                return refusal.reason
            return "ok"
