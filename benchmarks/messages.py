"""Requests as bytes, so that the load generator only has to send them."""

from collections.abc import Mapping

TOKEN = "ory_at_" + "a" * 43 + "." + "b" * 43
"""As long as the opaque tokens of Hydra. The stub provider accepts any token."""


def opaque_token(number: int) -> str:
    """Return one of many tokens of that length."""
    return TOKEN[:-8] + f"{number:08}"


def get(path: str, token: str | None = None) -> bytes:
    """Return a GET request, with a bearer token if there is one."""
    return message("GET", path, {"Authorization": f"Bearer {token}"} if token else {})


def post(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a POST request."""
    return message("POST", path, {"Content-Length": str(len(body)), **headers}) + body


def message(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: service.example"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("ascii")
