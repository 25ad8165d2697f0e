"""The provider on its two ports, for this machine only."""

import ipaddress
import os
import socket

import uvicorn
from starlette.types import Receive, Scope, Send

from dev.environment import issuer_of
from dev.provider import Provider


class NotStarted(Exception):
    """Something does not come up. The text is for people."""


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches `host`. Names are not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises `NotStarted` when the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise NotStarted(f"Cannot listen on {host}, port {port}: {reason}.") from error


def serve(host: str, public_port: int, admin_port: int) -> None:
    """Run a provider until a signal ends it. Port 0 means any free one. Raises `NotStarted`."""
    with listen(host, public_port) as public, listen(host, admin_port) as admin:
        public_port, admin_port = (listener.getsockname()[1] for listener in (public, admin))
        provider = Provider(issuer=issuer_of(public_port))

        # One server with both sockets: of two servers, only one would get the signal to end.
        async def listeners(scope: Scope, receive: Receive, send: Send) -> None:
            app = provider.public if scope["server"][1] == public_port else provider.admin
            await app(scope, receive, send)

        print(f"Provider on {host}: port {public_port}, admin port {admin_port}.", flush=True)
        config = uvicorn.Config(listeners, lifespan="off", log_level="warning")
        uvicorn.Server(config).run(sockets=[public, admin])
