"""What is measured, as data: the servers, their requests, and the ratios they have to reach.

A new mode or feature is a `Server` and a few rows here. `{provider}` in a variable becomes the
address of the stub provider, whose first path is the delay of an answer in milliseconds, and
`{redis}` that of a Redis server.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path

from benchmarks.messages import TOKEN, get, opaque_token, post
from benchmarks.provider import NEVER
from benchmarks.signing import signed_token
from tests.combinations import ROOT, Answers


@dataclass(frozen=True, slots=True)
class Server:
    """One uvicorn worker."""

    app: str
    """The application, as uvicorn takes it."""
    answers: Answers | None = None
    """The answers that its project is rendered with; `None` for an app of this folder."""
    variables: Mapping[str, str] = field(default_factory=dict)
    template: Path = ROOT
    """Where the template is that its project is rendered from."""


@dataclass(frozen=True, slots=True)
class Row:
    """A server under load. The numbers are requests a second over those of the bare endpoint."""

    name: str
    server: Server | None
    """`None`: the stub provider itself."""
    requests: Callable[[], Sequence[bytes]] = lambda: [get("/widgets", TOKEN)]
    """Returns the requests, which take turns. Every response has to be a success."""
    floor: float | None = None
    goal: float | None = None
    beats: Mapping[str, float] = field(default_factory=dict)
    """How many times as fast as other rows it has to be."""


@dataclass(frozen=True, slots=True)
class HangingRow:
    """A server whose provider never responds, for the times of unrelated requests."""

    name: str
    server: Server
    ceiling: float | None = None
    """The largest p99, in milliseconds."""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A server that accepts events, for the times that their sender sees."""

    name: str
    server: Server
    database: str
    """Where it stores them: `sqlite` or `postgresql`."""
    above_live: float
    """Milliseconds that its p99 at a steady pace may lie above that of `/health/live`."""
    floor: float
    goal: float
    """Events a second, all out."""


@dataclass(frozen=True, slots=True)
class RenderRow:
    """A way to render the template with its default answers."""

    name: str
    in_process: bool
    ceiling: float | None = None
    """Seconds that it may take at most."""


PLAIN: Answers = {"include_caching": False}
MANY = 2000
"""Tokens that take turns."""


def guide(delay: int | str) -> Server:
    """Return the guide's way, beside a provider that takes `delay`."""
    variables = {"HYDRA_INTROSPECT_URL": f"{{provider}}/{delay}/introspect"}
    return Server("benchmarks.apps.guide:app", variables=variables)


def introspection(delay: int | str) -> Server:
    """Return the service in introspection mode, beside a provider that takes `delay`."""
    variables = {
        "HYDRA_INTROSPECT_URL": f"{{provider}}/{delay}/introspect",
        "OLYMPUS_ISSUER": "http://localhost:3102",
        "AUDIENCE": "https://widgets.example",
    }
    return Server("app.main:app", {"validation_mode": "introspection", **PLAIN}, variables)


def webhooks() -> Server:
    """Return a service that accepts events."""
    variables = {
        "HYDRA_INTROSPECT_URL": "{provider}/0/introspect",
        "AUDIENCE": "https://widgets.example",
    }
    answers = {"validation_mode": "introspection", "include_webhooks": True}
    return Server("app.main:app", answers, variables)


def sdk(delay: int | str) -> Server:
    """Return the service in sdk mode, beside a provider that takes `delay`."""
    variables = {
        "AVNOLOGY_BASE_URL": f"{{provider}}/{delay}",
        "AVNOLOGY_CLIENT_ID": "service",
        "AVNOLOGY_CLIENT_SECRET": "service-secret",
        "AVNOLOGY_ISSUER": "http://localhost:3102",
        "AUDIENCE": "https://widgets.example",
    }
    return Server("app.main:app", {"validation_mode": "sdk", **PLAIN}, variables)


def jwt(algorithm: str) -> Server:
    """Return the service in jwt mode."""
    variables = {
        "OLYMPUS_ISSUER": "http://localhost:3102",
        "OLYMPUS_JWKS_URL": "{provider}/0/both",
        "JWT_ALGORITHMS": algorithm,
        "AUDIENCE": "https://widgets.example",
    }
    return Server("app.main:app", {"validation_mode": "jwt", **PLAIN}, variables)


def other_jwt(way: str, algorithm: str) -> Server:
    """Return an app of this folder that verifies signed tokens in another way."""
    # Plain python-jose fails on a set with keys of two kinds.
    variables = {"JWKS_URL": f"{{provider}}/0/{algorithm}", "ALGORITHM": algorithm}
    return Server(f"benchmarks.apps.{way}:app", variables=variables)


def with_cache(server: Server, **variables: str) -> Server:
    """Return the service with caching."""
    assert server.answers is not None
    answers = {**server.answers, "include_caching": True}
    return replace(server, answers=answers, variables={**server.variables, **variables})


@lru_cache
def signed(algorithm: str, number: int = 1) -> Sequence[bytes]:
    """Return requests with so many signed tokens."""
    return [get("/widgets", signed_token(algorithm, turn)) for turn in range(number)]


@lru_cache
def opaque(number: int) -> Sequence[bytes]:
    """Return requests with so many opaque tokens."""
    return [get("/widgets", opaque_token(turn)) for turn in range(number)]


def cached(name: str, server: Server, tokens: Callable[[int], Sequence[bytes]]) -> list[Row]:
    """Return the rows of a service with caching: in memory, with too few entries, in Redis."""
    one, many = partial(tokens, 1), partial(tokens, MANY)
    # A TTL longer than the time between two turns of a server
    memory = with_cache(server, CACHE_TTL="300")
    redis = with_cache(server, CACHE_TTL="300", CACHE_URL="{redis}")
    little = with_cache(server, CACHE_TTL="300", CACHE_MAX_ENTRIES=str(MANY // 2))
    logs = with_cache(server, CACHE_TTL="300", LOG_LEVEL="INFO", METRICS_PORT="{metrics}")
    return [
        Row(f"{name}, cached", memory, one, floor=0.80, goal=0.88),
        Row(f"{name}, cached, with logs and metrics", logs, one),
        Row(f"{name}, cached, {MANY:,} tokens", memory, many),
        Row(f"{name}, cached, {MANY:,} tokens, room for half", little, many),
        Row(f"{name}, in Redis", redis, one),
        Row(f"{name}, in Redis, {MANY:,} tokens", redis, many, floor=0.70, goal=0.80),
    ]


RS256, ES256 = partial(signed, "RS256"), partial(signed, "ES256")

BARE = Row("bare FastAPI endpoint", Server("benchmarks.apps.bare:app"))

ROWS = (
    BARE,
    Row("constant dependency", Server("benchmarks.apps.constant:app")),
    Row("the guide's way, 0 ms", guide(0)),
    Row("the guide's way, 5 ms", guide(5)),
    Row(
        "introspection, 0 ms",
        introspection(0),
        floor=0.33,
        goal=0.40,
        beats={"the guide's way, 0 ms": 2},
    ),
    Row(
        "introspection, 5 ms",
        introspection(5),
        floor=0.31,
        goal=0.38,
        beats={"the guide's way, 5 ms": 15},
    ),
    Row("sdk, 0 ms", sdk(0), beats={"introspection, 0 ms": 0.9}),
    Row("sdk, 5 ms", sdk(5), beats={"introspection, 5 ms": 0.9}),
    Row("jwt, the guide's way, RS256", other_jwt("guide_jwt", "RS256"), RS256),
    Row("jwt, the guide's way, ES256", other_jwt("guide_jwt", "ES256"), ES256),
    Row(
        "jwt, PyJWT and its key client, RS256",
        other_jwt("pyjwt", "RS256"),
        RS256,
    ),
    Row(
        "jwt, PyJWT and its key client, ES256",
        other_jwt("pyjwt", "ES256"),
        ES256,
    ),
    Row(
        "jwt, RS256",
        jwt("RS256"),
        RS256,
        floor=0.53,
        goal=0.62,
        beats={"jwt, the guide's way, RS256": 1, "jwt, PyJWT and its key client, RS256": 1},
    ),
    Row(
        "jwt, ES256",
        jwt("ES256"),
        ES256,
        beats={"jwt, the guide's way, ES256": 1, "jwt, PyJWT and its key client, ES256": 1},
    ),
    *cached("introspection", introspection(5), opaque),
    *cached("sdk", sdk(5), opaque),
    *cached("jwt", jwt("RS256"), RS256),
    Row(
        "stub provider alone", None, lambda: [post("/0/introspect", b"token=" + TOKEN.encode(), {})]
    ),
)

KEPT = 0.92
"""The share of the rate of another version that a row must keep."""


def with_version(rows: Sequence[Row], template: Path) -> list[Row]:
    """Return `rows`, each service beside the same one of another version of the template."""
    pairs: list[Row] = []
    for row in rows:
        if row.server is None or row.server.answers is None:
            pairs.append(row)
            continue
        other = replace(
            row,
            name=f"{row.name}, before",
            server=replace(row.server, template=template),
            floor=None,
            goal=None,
            beats={},
        )
        pairs += [replace(row, beats={**row.beats, other.name: KEPT}), other]
    return pairs


HANGING_ROWS = (
    HangingRow("the guide's way, provider hangs", guide(NEVER)),
    HangingRow("introspection, provider hangs", introspection(NEVER), ceiling=10),
    HangingRow("sdk, provider hangs", sdk(NEVER), ceiling=10),
)

DELIVERY_ROWS = (
    DeliveryRow("webhooks, SQLite", webhooks(), "sqlite", above_live=15, floor=1500, goal=3000),
    DeliveryRow(
        "webhooks, PostgreSQL", webhooks(), "postgresql", above_live=15, floor=900, goal=2000
    ),
)

RENDER_ROWS = (
    RenderRow("render, from the command line", in_process=False, ceiling=1),
    RenderRow("render, in a running Python", in_process=True),
)
