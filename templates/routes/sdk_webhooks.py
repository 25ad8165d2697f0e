"""The routes of the service."""

from fastapi import FastAPI

from app.routes import health, profile, projects, widgets
from app.startup import StartInWords
from app.webhooks.router import router as webhooks

WITHOUT_TOKEN = ("/health/", "/webhooks/")
"""Where the addresses begin that need no token. Whoever adds one adds it here."""


def add_routes(app: FastAPI) -> None:
    """Add every route to `app`.

    To the application itself: FastAPI looks twice through the routes of an included router, which
    costs each request more than the whole token policy.
    """
    widgets.add_routes(app)
    profile.add_routes(app)
    projects.add_routes(app)
    app.include_router(webhooks)
    app.add_middleware(StartInWords)
    health.add_routes(app)
