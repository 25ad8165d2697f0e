"""What a route needs to protect itself."""

from app.auth.bearer import bearer, machine_bearer, user_bearer
from app.auth.fresh import FreshBearer, fresh_bearer
from app.auth.principal import Principal

__all__ = ["FreshBearer", "Principal", "bearer", "fresh_bearer", "machine_bearer", "user_bearer"]
