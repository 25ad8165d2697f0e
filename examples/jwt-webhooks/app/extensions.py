"""YOURS. What this service adds: routers, resources and readiness checks."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import APIRouter
from starlette.datastructures import State

from app.health import Check
from app.routes import widgets
from app.settings import Settings

routers: list[APIRouter] = [widgets.router]
"""The routers of this service."""


@asynccontextmanager
async def resources(settings: Settings) -> AsyncIterator[Mapping[str, object]]:
    """Open what lives while the service runs, such as a database engine.

    Each entry is an attribute of `request.state`, under its key.
    """
    yield {}


def checks(state: State) -> Mapping[str, Check]:
    """Return the readiness checks by name. `state` has the resources.

    A check that raises anything makes the service not ready.
    """
    return {}
