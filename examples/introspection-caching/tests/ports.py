"""Ports for servers that a test starts."""

import random
import socket
from contextlib import suppress

from dev.environment import HOST


def free_ports(count: int) -> list[int]:
    """Return ports that are not in use.

    They lie below those that the system gives to connections, so that none of them is taken
    between this look and the start of a server.
    """
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - no secret
        with suppress(OSError), socket.create_server((HOST, port)):
            ports.add(port)
    return list(ports)
