"""Releases of the template, and services of a team that takes them."""
