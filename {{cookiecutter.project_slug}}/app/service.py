"""How the service is put together: routes, refusals, limits and what lives while it runs."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from importlib.metadata import entry_points

import httpx
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.responses import JSONResponse, Response

from app.about import read_about
from app.auth.bearer import token_in_query
from app.auth.metadata import add_metadata
from app.auth.token_first import check_tokens_first
from app.limits import BodyLimit
from app.logs import configure_logging
from app.routes import add_routes
from app.routes.widgets import Widgets
from app.services import open_services
from app.settings import Settings


def create_app(
    settings: Settings | None = None,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float] = time.time,
) -> FastAPI:
    """Put the service together. Without `settings` it reads the environment.

    `transport` replaces the network and `clock` (seconds since 1970) the time, for tests.
    Raises `InvalidSettings`.
    """
    settings = settings or Settings.read()
    about = read_about()
    configure_logging(settings.log_level)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, object]]:
        async with open_services(settings, transport, clock) as services:
            yield {field.name: getattr(services, field.name) for field in fields(services)}

    app = FastAPI(
        title=about.title,
        description=about.description,
        version=about.version,
        lifespan=lifespan,
        telemetry=telemetry(),
        redirect_slashes=False,
    )
    app.state.widgets = Widgets()
    app.add_middleware(BodyLimit, max_bytes=settings.request_max_bytes)
    app.add_exception_handler(RequestValidationError, refuse_body)
    add_routes(app)
    if settings.resource_url:
        add_metadata(app, settings.resource_url, settings.issuer)
    check_tokens_first(app)
    # A request is matched with one route after the other: the pages of documentation come last.
    app.router.routes.sort(key=lambda route: not isinstance(route, APIRoute))
    return app


def telemetry() -> TelemetryConfig:
    """Return what FastAPI tells OpenTelemetry about a request.

    Nothing about one with a token in its query, which a span would carry. And nothing at all where
    no package is installed that could listen: to find that out at every request takes its time.
    """
    providers = entry_points(group="opentelemetry_tracer_provider")
    # The default one is there with FastAPI, and hears nothing.
    listened_to = any(provider.name != "default_tracer_provider" for provider in providers)
    return {
        "tracing": listened_to,
        "metrics": listened_to,
        "logs": listened_to,
        "exclude": token_in_query,
    }


async def refuse_body(request: Request, error: Exception) -> Response:
    """Answer 422 with what is wrong and where, but without the input.

    The input need not be JSON that can be written again (`NaN`, half a surrogate pair), and it is
    not ours to repeat.
    """
    assert isinstance(error, RequestValidationError)
    detail = [{key: problem[key] for key in ("type", "loc", "msg")} for problem in error.errors()]
    return JSONResponse({"detail": detail}, status_code=422)
