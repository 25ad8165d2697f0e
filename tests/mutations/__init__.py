"""Generates mutants of a service's code, and runs the tests that cover each."""
