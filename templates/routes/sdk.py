"""The routes of the service."""

from app.routes import health, profile, projects, widgets

ROUTERS = (health.router, widgets.router, profile.router, projects.router)
