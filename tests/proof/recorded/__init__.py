"""Proofs that replay recorded responses of Hydra v26.2.0, laid beside a service's tests."""
