"""A client of Avnology ID with the surface that its FastAPI guide uses.

It stands in for the vendor's package of this import name, which cannot be installed yet, and leaves
out what this service does not call. Pages of the documentation are named from
https://docs-id.avnology.net on.
"""

from avnology_id import errors
from avnology_id.client import AsyncAvnologyId
from avnology_id.options import NAMESPACES, Paths, Scopes
from avnology_id.results import TokenIntrospection, TokenSet, User

__all__ = [
    "NAMESPACES",
    "AsyncAvnologyId",
    "Paths",
    "Scopes",
    "TokenIntrospection",
    "TokenSet",
    "User",
    "errors",
]
