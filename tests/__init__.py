"""The template's own tests, in a home folder that is empty.

cookiecutter looks the home folder up when it is imported, so this is done before anything else:
nobody's own `~/.cookiecutterrc` has a say, and nothing is left in `~/.cookiecutter_replay`.
"""

import atexit
import os
import shutil
import tempfile

OWN_ENVIRONMENT = dict(os.environ)
"""What whoever runs the tests has set: installers find their cache and settings by it."""

HOME = tempfile.mkdtemp(prefix="olympus-fastapi-home-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

os.environ.update(HOME=HOME, USERPROFILE=HOME, XDG_CONFIG_HOME=HOME)
os.environ.pop("COOKIECUTTER_CONFIG", None)
