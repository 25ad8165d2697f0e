"""What a route needs to protect itself."""

from app.auth.bearer import bearer, machine_bearer, user_bearer
from app.auth.principal import Principal

__all__ = ["Principal", "bearer", "fresh_bearer", "machine_bearer", "user_bearer"]

fresh_bearer = bearer
"""The same: each request verifies its token."""
