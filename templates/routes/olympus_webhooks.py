"""The routes of the service."""

from fastapi import FastAPI

from app.routes import health, webhooks, widgets

WITHOUT_TOKEN = ("/health/", "/webhooks/")
"""Where the addresses begin that need no token. Whoever adds one adds it here."""


def add_routes(app: FastAPI) -> None:
    """Add every route to `app`.

    To the application itself: FastAPI looks twice through the routes of an included router, which
    costs each request more than the whole token policy.
    """
    widgets.add_routes(app)
    webhooks.add_routes(app)
    health.add_routes(app)
