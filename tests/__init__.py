"""The template's own tests, in a home folder that is empty.

cookiecutter looks the home folder up when it is imported, so this is done before anything else:
nobody's own `~/.cookiecutterrc` has a say, and nothing is left in `~/.cookiecutter_replay` or of
the rendered hooks, which cookiecutter never deletes.
"""

import atexit
import json
import os
import shutil
import tempfile

# Workers of the test run inherit what is changed below, so the first process hands it down.
INHERITED = "OLYMPUS_TESTS_OWN_ENVIRONMENT"
os.environ.setdefault(INHERITED, json.dumps(dict(os.environ)))

OWN_ENVIRONMENT: dict[str, str] = json.loads(os.environ[INHERITED])
"""What whoever runs the tests has set: installers find their cache and settings by it."""

os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
HOME = tempfile.mkdtemp(prefix="olympus-fastapi-home-", dir=os.environ["PYTEST_DEBUG_TEMPROOT"])
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

os.environ.update(HOME=HOME, USERPROFILE=HOME, XDG_CONFIG_HOME=HOME, TMPDIR=HOME, TMP=HOME)
os.environ.pop("COOKIECUTTER_CONFIG", None)
tempfile.tempdir = HOME
