"""Every kind of call of the contract, in the order of the demo."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.combinations import Answer
from tests.demo import expected
from tests.demo.caller import Caller, Row, event
from tests.demo.expected import (
    HEALTHY,
    INSUFFICIENT_SCOPE,
    INVALID_REQUEST,
    INVALID_TOKEN,
    NOT_AUTHENTICATED,
    NOT_READY,
    READER,
    RECEIVED,
    UNAVAILABLE,
    WIDGET_NOT_FOUND,
    WRITER,
    Outcome,
)
from tests.demo.processes import MAX_BODY, running_servers
from tests.demo.sample_tokens import SAMPLE_TOKENS

LEVER = b'{"name": "lever"}'


def make_calls(project: Path, answers: Mapping[str, Answer]) -> list[Row]:
    """Run an installed project beside its provider and make the calls of its combination."""
    mode, caching, webhooks = answers.values()
    local = mode == "jwt"
    with running_servers(project) as servers, Caller(servers, str(mode)) as caller:
        rows = [
            caller.row("", HEALTHY, path="/health/live"),
            caller.row("", HEALTHY, path="/health/ready"),
            *without_a_good_token(caller, SAMPLE_TOKENS[str(mode)]),
            *with_good_tokens(caller),
        ]
        rows += revoked(caller, caching=bool(caching), local=local)
        if mode == "sdk":
            rows += for_users(caller)
        if webhooks:
            rows += deliveries(caller)
        if webhooks and (caching or local):
            rows += deleted(caller)
        cached, unknown = caller.token("writer", scopes=["read:widgets"]), caller.token()
        rows.append(caller.row("good token", WRITER, cached))
        servers.stop_provider()
        if caching:
            rows += cached_without_provider(caller, cached)
        rows += without_provider(caller, unknown, local=local)
    return rows


def without_a_good_token(caller: Caller, samples: Mapping[str, str]) -> Iterator[Row]:
    """Make the calls that are refused."""
    good, row = caller.token(), caller.row
    yield row("no Authorization header", NOT_AUTHENTICATED)
    yield row("Basic credentials", NOT_AUTHENTICATED, "d3JpdGVyOnNlY3JldA==", scheme="Basic ")
    yield row("Bearer with nothing", NOT_AUTHENTICATED, "", scheme="Bearer")
    yield row("two Authorization headers", INVALID_REQUEST, good, good)
    in_query = f"/widgets?access_token={good}"
    yield row("token also in the query", INVALID_REQUEST, good, path=in_query)
    yield row("malformed token", INVALID_TOKEN, "not/one, but two")
    yield row("token of 8193 bytes", INVALID_TOKEN, "a" * 8193)
    for call, token in samples.items():
        yield row(call, INVALID_TOKEN, token)
    yield row("token without our audience", INVALID_TOKEN, caller.token(audience=[]))
    yield row("token of another client", INVALID_TOKEN, caller.token("stranger"))
    expired = caller.token(lifetime=1)
    time.sleep(2)
    yield row("expired token", INVALID_TOKEN, expired)


def with_good_tokens(caller: Caller) -> Iterator[Row]:
    """Make the calls with valid tokens, including one without the scope."""
    good, reader, row = caller.token(), caller.token("reader"), caller.row
    yield row("good token", READER, reader)
    yield row("scope is missing", INSUFFICIENT_SCOPE, reader, method="POST", body=LEVER)
    yield row("good token", Outcome(201, "", "name lever"), good, method="POST", body=LEVER)
    headers = {"Authorization": f"Bearer {good}"}
    created = caller.http.post(
        caller.servers.service + "/widgets", headers=headers, json={"name": "lever"}
    )
    path = f"/widgets/{created.json()['id']}"
    for call, outcome in ("that widget", Outcome(204, "", "")), ("again", WIDGET_NOT_FOUND):
        deleted = row(call, outcome, good, path=path, method="DELETE")
        yield Row(f"DELETE /widgets/<id>  {call}", outcome, deleted.seen)
    large = b" " * (MAX_BODY + 1)
    yield row("body too large", expected.TOO_LARGE, good, method="POST", body=large)


def revoked(caller: Caller, *, caching: bool, local: bool) -> Iterator[Row]:
    """Make the calls with a revoked token. `local`: the service verifies tokens by itself."""
    token, row = caller.token(), caller.row
    if caching:
        yield row("first time", WRITER, token)
    caller.revoke(token)
    if caching:
        yield row("revoked, cached", WRITER, token)
        fresh = WIDGET_NOT_FOUND if local else INVALID_TOKEN
        yield row("revoked, fresh", fresh, token, path="/widgets/none", method="DELETE")
    yield row("revoked token", WRITER if local else INVALID_TOKEN, token)


def for_users(caller: Caller) -> Iterator[Row]:
    """Make the calls whose response depends on the user."""
    for call, user, method, path, outcome in expected.FOR_USERS:
        yield caller.row(call, outcome, caller.token(subject=user), path=path, method=method)


def deliveries(caller: Caller) -> Iterator[Row]:
    """Send good and bad deliveries."""
    deliver, signed = caller.deliver, caller.signed
    body = event("user.updated", "anna", "evt_demo")
    yield deliver("an event", RECEIVED, body, signed(body))
    other = event("user.created", "anna", "evt_demo")
    yield deliver("another under its id", expected.REUSED, other, signed(other))
    yield deliver("the same again", RECEIVED, body, signed(body))
    unknown = event("user.renamed", "anna")
    yield deliver("of an unknown type", RECEIVED, unknown, signed(unknown))
    yield deliver("not signed", expected.INVALID_SIGNATURE, body, {})
    forged = signed(body, "whsec_of_another_sender_0123456789abcdef")
    yield deliver("wrong signature", expected.INVALID_SIGNATURE, body, forged)
    old = signed(body, at=time.time() - 600)
    yield deliver("ten minutes old", expected.INVALID_SIGNATURE, body, old)
    compressed = {**signed(body), "Content-Encoding": "gzip"}
    yield deliver("compressed", expected.UNSUPPORTED, body, compressed)
    yield deliver("no event", expected.INVALID_PAYLOAD, b"[]", signed(b"[]"))


def deleted(caller: Caller) -> Iterator[Row]:
    """Use a token, send the event that ends it, and use it again."""
    token = caller.token("reader")
    yield caller.row("before the event", READER, token)
    body = event("user.deleted", "reader")
    yield caller.deliver("the token's subject is deleted", RECEIVED, body, caller.signed(body))
    refused = caller.row("after the event", INVALID_TOKEN, token)
    yield caller.retried(refused, 5, token, path="/widgets")


def cached_without_provider(caller: Caller, cached: str) -> Iterator[Row]:
    """Make the calls with a cached token while the provider is gone."""
    yield caller.row("provider gone, cached", WRITER, cached)
    call = "provider gone, cached, scope is missing"
    yield caller.row(call, INSUFFICIENT_SCOPE, cached, method="POST", body=LEVER)


def without_provider(caller: Caller, unknown: str, *, local: bool) -> Iterator[Row]:
    """Make the calls while the provider is gone. `local`: the keys are at hand."""
    yield caller.row("provider gone", WRITER if local else UNAVAILABLE, unknown)
    yield caller.row("provider gone", HEALTHY, path="/health/live")
    ready = caller.row("provider gone", HEALTHY if local else NOT_READY, path="/health/ready")
    # Readiness is cached for some seconds.
    yield caller.retried(ready, 10, path="/health/ready")
