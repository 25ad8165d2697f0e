"""The application: `uvicorn app.main:app`."""

import sys

from app.service import create_app
from app.settings import InvalidSettings

__all__ = ["app", "create_app"]

try:
    app = create_app()
except InvalidSettings as problems:
    sys.exit(f"The service cannot start with this environment.\n{problems}")
