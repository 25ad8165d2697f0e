"""The service as a process beside a real Hydra.

They run when `HYDRA_PUBLIC_URL` and `HYDRA_ADMIN_URL` are set, register clients of their own there,
and delete them. They are laid into a service's tests.
"""
