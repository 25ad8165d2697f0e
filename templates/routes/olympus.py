"""The routes of the service."""

from app.routes import health, widgets

ROUTERS = (health.router, widgets.router)
