"""Calls a running service and records the responses."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from tests.demo.expected import Outcome
from tests.demo.processes import Servers


@dataclass(frozen=True, slots=True)
class Row:
    """A call, its expected response and the response."""

    call: str
    expected: Outcome
    seen: Outcome

    @property
    def good(self) -> bool:
        """Whether the service kept the contract."""
        return self.expected.matches(self.seen)


class Caller:
    """A client of the provider and of the service."""

    def __init__(self, servers: Servers, mode: str) -> None:
        """Prepare to call `servers`, with the headers and paths of `mode`."""
        self.servers = servers
        self.http = httpx.Client(trust_env=False, timeout=10)
        self._names = ("X-Signature", "X-Timestamp")
        self._path = "/webhooks/olympus"
        if mode == "sdk":
            self._names = ("X-Avnology-Signature", "X-Avnology-Timestamp")
            self._path = "/webhooks/avnology"

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def token(self, client_id: str = "writer", **more: object) -> str:
        """Return a new token of any kind."""
        arguments = {"client_id": client_id, **more}
        response = self.http.post(self.servers.provider + "/dev/token", json=arguments)
        return str(response.raise_for_status().json()["access_token"])

    def revoke(self, token: str) -> None:
        """Revoke a token of the client `writer`, as that client."""
        form = {"token": token, "client_id": "writer", "client_secret": "writer-secret"}
        self.http.post(self.servers.provider + "/oauth2/revoke", data=form).raise_for_status()

    def row(
        self,
        call: str,
        expected: Outcome,
        *tokens: str,
        path: str = "/widgets",
        method: str = "GET",
        body: bytes = b"",
        scheme: str = "Bearer ",
    ) -> Row:
        """Make one call with one `Authorization` header for each of `tokens`."""
        headers = [("Authorization", scheme + token) for token in tokens]
        headers.append(("Content-Type", "application/json"))
        url = self.servers.service + path
        response = self.http.request(method, url, headers=headers, content=body)
        return Row(f"{method} {path.partition('?')[0]}  {call}", expected, outcome(response))

    def retried(self, row: Row, seconds: float, *tokens: str, path: str) -> Row:
        """Repeat the GET of `row` until it is as expected, or for some seconds."""
        deadline = time.monotonic() + seconds
        while not row.good and time.monotonic() < deadline:
            time.sleep(0.05)
            row = self.row(row.call.split("  ", 1)[1], row.expected, *tokens, path=path)
        return row

    def deliver(self, call: str, expected: Outcome, body: bytes, headers: Mapping[str, str]) -> Row:
        """Send an event."""
        content = {"Content-Type": "application/json", **headers}
        url = self.servers.service + self._path
        response = self.http.post(url, content=body, headers=content)
        return Row(f"POST {self._path}  {call}", expected, outcome(response))

    def signed(self, body: bytes, secret: str = "", at: float | None = None) -> dict[str, str]:
        """Return the headers of a delivery that is sent now, or `at` (seconds since 1970)."""
        key = secret or self.servers.settings["WEBHOOK_SECRETS"]
        timestamp = str(int(time.time() if at is None else at))
        message = timestamp.encode() + b"." + body
        signature = hmac.new(key.encode(), message, hashlib.sha256).hexdigest()
        return dict(zip(self._names, (signature, timestamp), strict=True))


def event(event_type: str, subject: str, event_id: str = "") -> bytes:
    """Return the body of an event."""
    document = {"id": event_id or f"evt_{uuid.uuid4().hex}", "type": event_type}
    return json.dumps({**document, "data": {"user_id": subject}}).encode()


def outcome(response: httpx.Response) -> Outcome:
    """Return the part of a response that the table shows."""
    header = response.headers.get("WWW-Authenticate", "")
    if "Retry-After" in response.headers:
        header += f"Retry-After: {response.headers['Retry-After']}"
    return Outcome(response.status_code, header, _detail(response))


def _detail(response: httpx.Response) -> str:
    match response.json() if response.content else {}:
        case {"status": status, "missing": [*missing]}:
            return f"{status}: {', '.join(map(str, missing))}"
        case {"detail": text} | {"status": text}:
            return str(text)
        case {"user": user}:
            return f"user {user}"
        case {"updated": updated}:
            return f"updated {updated}"
        case {"received": True}:
            return "received"
        case {"name": name}:
            return f"name {name}"
    return ""
