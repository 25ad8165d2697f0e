"""Every kind of call at a running service, beside what the service promises for it."""

import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from dev.calls import Reply, fetch_token, register, revoke_token, send
from dev.clients import READER, WRITER, machine
from dev.environment import Endpoints, bare_environment
from dev.processes import (
    end,
    free_ports,
    provider_command,
    running,
    service_command,
    wait_until_up,
)
from dev.promises import (
    HEALTHY,
    INSUFFICIENT_SCOPE,
    INVALID_REQUEST,
    INVALID_TOKEN,
    NOT_AUTHENTICATED,
    Outcome,
)
from dev.specimens import PROBE_WITHOUT_PROVIDER, PROVIDER_GONE, REVOKED, UNUSABLE
from dev.variables import service_settings

MAX_BODY = 1000
"""Bytes. Little, so that a body over the limit is still a small one."""


@dataclass(frozen=True, slots=True)
class Row:
    """A call, what it should come to, and what it came to."""

    call: str
    expected: Outcome
    seen: Outcome

    @property
    def good(self) -> bool:
        """Whether the service kept its promise."""
        return self.expected.status == self.seen.status and all(
            re.fullmatch(pattern, text)
            for pattern, text in zip(self.expected[1:], self.seen[1:], strict=True)
        )


class Caller:
    """Calls the service and notes what comes of it."""

    def __init__(self, service_url: str, provider: Endpoints) -> None:
        self.service_url = service_url
        self.provider = provider
        self.writer = fetch_token(provider.public, WRITER)
        self._unused = fetch_token(provider.public, WRITER)

    def row(
        self,
        call: str,
        expected: Outcome,
        *authorization: str,
        path: str = "/widgets",
        method: str = "GET",
        body: bytes = b"",
    ) -> Row:
        """Make one call with one header for each of `authorization`."""
        headers = [("Authorization", value) for value in authorization]
        if body:
            headers.append(("Content-Type", "application/json"))
        reply = send(method, self.service_url + path, headers, body)
        return Row(f"{method} {path.partition('?')[0]}  {call}", expected, outcome(reply))

    def without_a_good_token(self) -> Iterator[Row]:
        """Make the calls that are refused whatever the provider says."""
        good, row = f"Bearer {self.writer}", self.row
        yield row("no Authorization header", NOT_AUTHENTICATED)
        yield row("Basic credentials", NOT_AUTHENTICATED, "Basic d3JpdGVyOnNlY3JldA==")
        yield row("Bearer with nothing", NOT_AUTHENTICATED, "Bearer ")
        yield row("two Authorization headers", INVALID_REQUEST, good, good)
        in_query = f"/widgets?access_token={self.writer}"
        yield row("token also in the query", INVALID_REQUEST, good, path=in_query)
        yield row("malformed token", INVALID_TOKEN, "Bearer not/one, but two")
        yield row("token of 8193 bytes", INVALID_TOKEN, "Bearer " + "a" * 8193)
        for call, token in UNUSABLE.items():
            yield row(call, INVALID_TOKEN, f"Bearer {token}")

    def with_tokens_that_went_bad(self) -> Iterator[Row]:
        """Make the calls with tokens that were good, or are good elsewhere."""
        public, admin = self.provider.public, self.provider.admin
        lifespan = {"client_credentials_grant_access_token_lifespan": timedelta(seconds=1)}
        short = register(admin, machine("short", WRITER.scope).model_copy(update=lifespan))
        expired = fetch_token(public, short)
        expiry = time.time() + 1
        revoked = fetch_token(public, WRITER)
        revoke_token(public, WRITER, revoked)
        yield self.row("revoked token", REVOKED, f"Bearer {revoked}")
        elsewhere = fetch_token(public, WRITER, audience="")
        yield self.row("token without our audience", INVALID_TOKEN, f"Bearer {elsewhere}")
        stranger = fetch_token(public, register(admin, machine("stranger", WRITER.scope)))
        yield self.row("token of another client", INVALID_TOKEN, f"Bearer {stranger}")
        time.sleep(max(0, expiry - time.time()))
        yield self.row("expired token", INVALID_TOKEN, f"Bearer {expired}")

    def with_good_tokens(self) -> Iterator[Row]:
        """Make the calls that are let in, up to a missing right."""
        good, row = f"Bearer {self.writer}", self.row
        reader = "Bearer " + fetch_token(self.provider.public, READER)
        lever = b'{"name": "lever"}'
        yield row("good token", Outcome(200, "", "user reader"), reader)
        yield row("scope is missing", INSUFFICIENT_SCOPE, reader, method="POST", body=lever)
        created = send(
            "POST",
            f"{self.service_url}/widgets",
            [("Authorization", good), ("Content-Type", "application/json")],
            lever,
        )
        yield Row("POST /widgets  good token", Outcome(201, "", "name lever"), outcome(created))
        path = f"/widgets/{created.document().get('id')}"
        for call, expected in (
            ("that widget", Outcome(204, "", "")),
            ("again", Outcome(404, "", "Widget not found")),
        ):
            deleted = row(call, expected, good, path=path, method="DELETE")
            yield Row(f"DELETE /widgets/<id>  {call}", expected, deleted.seen)
        too_large = Outcome(413, "", "Payload too large")
        yield row("body too large", too_large, good, method="POST", body=b" " * (MAX_BODY + 1))

    def health(self) -> Iterator[Row]:
        """Probe while the provider answers."""
        yield self.row("", HEALTHY, path="/health/live")
        yield self.row("", HEALTHY, path="/health/ready")

    def without_provider(self) -> Iterator[Row]:
        """Make the calls while the provider is gone."""
        yield self.row("provider gone", PROVIDER_GONE, f"Bearer {self._unused}")
        yield self.row("provider gone", HEALTHY, path="/health/live")
        # An outcome is remembered for some seconds.
        deadline = time.monotonic() + 10
        probe = self.row("provider gone", PROBE_WITHOUT_PROVIDER, path="/health/ready")
        while not probe.good and time.monotonic() < deadline:
            time.sleep(0.1)
            probe = self.row("provider gone", PROBE_WITHOUT_PROVIDER, path="/health/ready")
        yield probe


Calls = Callable[[Caller], Iterable[Row]]
"""Makes more calls and returns what comes of them."""


def outcome(reply: Reply) -> Outcome:
    """Return what of a reply the table shows."""
    header = reply.headers.get("WWW-Authenticate", "")
    if "Retry-After" in reply.headers:
        header += f"Retry-After: {reply.headers['Retry-After']}"
    return Outcome(reply.status, header, _detail(reply))


def _detail(reply: Reply) -> str:
    match reply.document():
        case {"detail": detail}:
            return str(detail)
        case {"status": status, "missing": [*missing]}:
            return f"{status}: {', '.join(map(str, missing))}"
        case {"status": status}:
            return str(status)
        case {"user": user}:
            return f"user {user}"
        case {"name": name}:
            return f"name {name}"
    return ""


@contextmanager
def beside_provider() -> Iterator[tuple[Caller, Callable[[], None]]]:
    """Run a provider and the service. Return a caller of it, and what ends the provider.

    Raises `NotStarted`, `CallFailed`.
    """
    public_port, admin_port, port = free_ports(3)
    endpoints = Endpoints.local(public_port, admin_port)
    service_url = f"http://127.0.0.1:{port}"
    environment = bare_environment(
        {
            **service_settings(endpoints),
            "ALLOWED_CLIENT_IDS": "reader,writer,short",
            "CLOCK_LEEWAY": "0",
            "REQUEST_MAX_BYTES": str(MAX_BODY),
            "LOG_LEVEL": "ERROR",
        }
    )
    with ExitStack() as stack:
        # An empty folder: a `.env` of yours must not change what is shown.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        provider = stack.enter_context(running(provider_command(public_port, admin_port)))
        wait_until_up(provider, endpoints.public + "/health/ready")
        command = service_command(port, "--log-level", "warning")
        service = stack.enter_context(running(command, environment=environment, folder=folder))
        wait_until_up(service, service_url + "/health/live")
        yield Caller(service_url, endpoints), partial(end, provider)


def demo(more_calls: Sequence[Calls]) -> int:
    """Make the calls and print the table. Return the exit code.

    `more_calls` are made while the provider is there, after the others. Raises `NotStarted`,
    `CallFailed`.
    """
    with beside_provider() as (caller, end_provider):
        steps: list[Callable[[], Iterable[Row]]] = [
            caller.health,
            caller.without_a_good_token,
            caller.with_tokens_that_went_bad,
            caller.with_good_tokens,
        ]
        rows = [row for step in steps for row in step()]
        rows += [row for calls in more_calls for row in calls(caller)]
        end_provider()
        rows.extend(caller.without_provider())
    return show(rows)


def show(rows: list[Row]) -> int:
    """Print the table and return 0 if every row is as promised, else 1."""
    titles = ("call", "status", "challenge or Retry-After", "detail")
    lines = [titles] + [(row.call, str(row.seen.status), *row.seen[1:]) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    marks = [" ", *(" " if row.good else "!" for row in rows)]
    for mark, line in zip(marks, lines, strict=True):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print(f"{mark} {'  '.join(cells)}".rstrip())
    bad = [row for row in rows if not row.good]
    for row in bad:
        header, detail = (text.replace("\\", "") for text in row.expected[1:])
        print(f"! {row.call}: promised is {row.expected.status}  {header}  {detail}")
    print(f"\n{len(rows) - len(bad)} of {len(rows)} calls are as promised.")
    return 1 if bad else 0
