"""Runs a rendered service beside its local provider and makes every kind of call.

It uses the routes and settings of the service, and imports none of its code.
"""
