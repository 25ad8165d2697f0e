"""YOURS: the tests of your routes."""

OPEN_ROUTES: set[str] = set()
"""Paths of your routes that need no token. A test fails for any other route without one."""
