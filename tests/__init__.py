"""The template's own tests, in a home folder that is empty.

cookiecutter looks the home folder up when it is imported, so this comes before anything else. A
developer's own `~/.cookiecutterrc` has no effect, and neither `~/.cookiecutter_replay` nor the
rendered hooks, which cookiecutter never deletes, stay behind.
"""

import atexit
import json
import os
import shutil
import tempfile

# Workers of a test run inherit the changes below, so the first process saves what was there.
INHERITED = "OLYMPUS_TESTS_OWN_ENVIRONMENT"
os.environ.setdefault(INHERITED, json.dumps(dict(os.environ)))

OWN_ENVIRONMENT: dict[str, str] = json.loads(os.environ[INHERITED])
"""The environment of the developer: installers find their caches and settings by it."""

os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
HOME = tempfile.mkdtemp(prefix="olympus-fastapi-home-", dir=os.environ["PYTEST_DEBUG_TEMPROOT"])
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

os.environ.update(HOME=HOME, USERPROFILE=HOME, XDG_CONFIG_HOME=HOME, TMPDIR=HOME, TMP=HOME)
os.environ.pop("COOKIECUTTER_CONFIG", None)
tempfile.tempdir = HOME
