"""A client of Avnology ID with the surface that this service uses.

It stands in for the vendor's package of this import name, which is not published yet. Pages of the
documentation are named from https://docs-id.avnology.net on.
"""

from avnology_id import errors
from avnology_id.client import AsyncAvnologyId

__all__ = ["AsyncAvnologyId", "errors"]
