"""Proofs that replay what a real Hydra v26.2.0 said. They are laid into a service's tests."""
