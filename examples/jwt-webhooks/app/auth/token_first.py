"""Refuses requests without a token before their body is read.

FastAPI reads and parses a body before it calls dependencies. Without this, any client could make
the service parse one.
"""

from collections.abc import Callable, Container
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from app.auth.bearer import Bearer, check_header


class TokenFirstRoute(APIRoute):
    """A route that reads the `Authorization` header before the body."""

    dependants: list[Dependant]
    """Its dependencies, once for each router that includes it."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        overrides = scope["app"].dependency_overrides
        # A router may include the route without a bearer. Then the dependencies decide.
        if all(has_bearer(dependant, overrides) for dependant in self.dependants):
            check_header(scope)
        await super().handle(scope, receive, send)


def check_tokens_first(app: FastAPI) -> None:
    """Let every route of `app` with a body refuse requests without a token before it reads them.

    Call it when all routes are there. Mounted FastAPI applications are included.
    """
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and context.body_field is not None:
            # A `route_class` of the application does not reach the routes of its routers.
            if not isinstance(route, TokenFirstRoute):
                route.__class__ = TokenFirstRoute
                assert isinstance(route, TokenFirstRoute)
                route.dependants = []
            route.dependants.append(context.dependant)
        elif isinstance(route, Mount) and isinstance(route.app, FastAPI):
            check_tokens_first(route.app)


def has_bearer(dependant: Dependant, overrides: Container[Callable[..., Any] | None]) -> bool:
    """Tell whether a bearer is among the dependencies, at any depth, but for overridden ones."""
    return any(
        isinstance(dependency.call, Bearer) or has_bearer(dependency, overrides)
        for dependency in dependant.dependencies
        if dependency.call not in overrides
    )
