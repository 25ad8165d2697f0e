"""The application: `uvicorn app.main:app`."""

import gc
import sys

from app.environment import InvalidSettings
from app.service import create_app

__all__ = ["app", "create_app"]

try:
    app = create_app()
except InvalidSettings as problems:
    sys.exit(f"The service cannot start with this environment.\n{problems}")

# What stands now lives as long as the process, so the garbage collector need not look through it
# again, and a look for every handful of requests is too many: an eighth of their cost.
gc.collect()
gc.freeze()
gc.set_threshold(10_000)
