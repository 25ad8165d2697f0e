"""Updates of services, and changes of their choices. `UPGRADING.md` says how to run them."""
