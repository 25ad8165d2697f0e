"""What may differ from one installation of the platform to the next, with the documented defaults.

The pages of the documentation contradict each other about most of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the calls go, from the base URL on (pages below `/docs/api`)."""

    token: str = "/oauth2/token"  # noqa: S105 - a path
    introspection: str = "/oauth2/introspect"
    users: str = "/v1/identities"
    """A user's id follows, after a slash."""
    permission_check: str = "/v1/permissions:check"


@dataclass(frozen=True, slots=True)
class Scopes:
    """What the token must have that a call is authorized with, separated by spaces."""

    users: str = "admin:users:read"
    permissions: str = "admin:permissions:read"


NAMESPACES: Mapping[str, str] = MappingProxyType(
    {
        "user": "identities",
        "group": "groups",
        "organization": "organizations",
        "project": "projects",
    }
)
"""The client's `user:<id>` and `project:<id>` in the words of the REST pages.

A type that is not here keeps its name.
"""
