"""What a token must allow for a route of widgets, and how sure of it the route wants to be."""

from fastapi import Security

from app.auth import bearer, fresh_bearer

MAY_WRITE = Security(bearer, scopes=["write:widgets"])
# What is deleted does not come back, so what was remembered about the token does not do.
MAY_DELETE = Security(fresh_bearer, scopes=["write:widgets"])
