"""Runs a rendered service beside its local provider and makes every kind of call.

It knows the service by its routes and its settings, and needs nothing of its Python.
"""
