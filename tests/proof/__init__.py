"""Proofs that need not be in every service. Each is laid beside a rendered one and run by it.

They know the service by its commands, its routes, its settings and its log.
"""
