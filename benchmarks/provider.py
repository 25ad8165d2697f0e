"""A stub of the identity provider that takes little time: `python -m benchmarks.provider`.

Each request to `/<delay>/.../<what>` gets the same bytes after `<delay>` milliseconds. If the delay
is `never`, there is no response. It reads only as much of a request as it needs to find the end.
"""

import asyncio
import json
import os
import re
from typing import cast

import uvloop

from benchmarks.signing import VARIABLE

HOST = "127.0.0.1"
NEVER = "never"

ANSWERS: dict[bytes, object] = {
    b"introspect": {
        "active": True,
        "scope": "openid profile email read:widgets",
        "client_id": "site-ciam-client",
        "sub": "0190c7a1-4b1f-7c3e-9d55-7f0e5a1b2c3d",
        "exp": 4_102_444_800,
        "iat": 1_789_996_400,
        "nbf": 1_789_996_400,
        "aud": ["https://widgets.example"],
        "iss": "http://localhost:3102",
        "token_type": "Bearer",
        "token_use": "access_token",
        "ext": {"role": "admin"},
    },
}
"""The responses by the last part of the path. The first one is like that of Hydra v26."""

_TARGET = re.compile(rb"[A-Z]+ /(\w+)/(?:\w+/)*(\w+) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


def response(document: object) -> bytes:
    """Return a complete response with `document` as its body."""
    body = json.dumps(document, separators=(",", ":")).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


RESPONSES = {what: response(document) for what, document in ANSWERS.items()}
for name, keys in json.loads(os.environ.get(VARIABLE, "{}")).items():
    RESPONSES[name.encode()] = response(keys)


def take(received: bytearray) -> bytes | None:
    """Take the first complete request out of what was received, and return its head."""
    end = received.find(b"\r\n\r\n") + 4
    if end < 4:
        return None
    head = bytes(received[:end])
    length = _LENGTH.search(head)
    end += int(length[1]) if length else 0
    if len(received) < end:
        return None
    del received[:end]
    return head


class Provider(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start with an empty buffer."""
        self.transport = cast(asyncio.Transport, transport)
        self.received = bytearray()

    def data_received(self, data: bytes) -> None:
        """Respond to every complete request."""
        self.received += data
        while head := take(self.received):
            self.answer(head)

    def answer(self, head: bytes) -> None:
        """Respond to one request, at once, later or never."""
        target = _TARGET.match(head)
        if target is None or target[2] not in RESPONSES:
            self.transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        delay, what = target.groups()
        if delay == b"0":
            self.transport.write(RESPONSES[what])
        elif delay != NEVER.encode():
            loop = asyncio.get_running_loop()
            loop.call_later(int(delay) / 1000, self.transport.write, RESPONSES[what])


async def serve() -> None:
    """Serve on a free port, and print its address."""
    server = await asyncio.get_running_loop().create_server(Provider, HOST, 0)
    print(f"Provider at http://{HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
