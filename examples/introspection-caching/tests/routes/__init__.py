"""YOURS: tests of your routes, and what the other tests have to know about them."""

OPEN_ROUTES: set[str] = set()
"""Paths of your routes that need no token. A test fails for others in the OpenAPI document."""

VARIABLES: dict[str, str] = {}
"""Your settings in tests: a value for each that has no default."""
