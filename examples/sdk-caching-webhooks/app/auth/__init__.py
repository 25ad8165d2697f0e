"""What a route needs to protect itself."""

from app.auth.bearer import Bearer, bearer, machine_bearer, user_bearer
from app.auth.principal import Principal

__all__ = ["Principal", "bearer", "fresh_bearer", "machine_bearer", "user_bearer"]

fresh_bearer = Bearer(max_age=0)
"""Bypasses the cache: the token is verified at this request, and not at an earlier one."""
