"""What a token must allow for a route of widgets."""

from fastapi import Security

from app.auth import bearer

MAY_WRITE = Security(bearer, scopes=["write:widgets"])
MAY_DELETE = Security(bearer, scopes=["write:widgets"])
