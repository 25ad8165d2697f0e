"""The versions of Python that a service supports, if this machine has them."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests import OWN_ENVIRONMENT
from tests.combinations import COMBINATIONS, Answers

VERSIONS = ("3.11", "3.12", "3.13")


@functools.cache
def find_python(version: str) -> str | None:
    """Return a Python of that version: this one, or a complete one in the search path or pyenv."""
    if version_of(sys.executable) == version:
        return sys.executable
    pyenv = Path(OWN_ENVIRONMENT.get("PYENV_ROOT") or Path(OWN_ENVIRONMENT["HOME"], ".pyenv"))
    installed = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    for candidate in (shutil.which(f"python{version}"), *map(os.fspath, installed)):
        if candidate is not None and version_of(candidate, "import ensurepip") == version:
            return candidate
    return None


def version_of(python: str, whole: str = "") -> str:
    """Return the version of a Python, or nothing if it does not run, or fails to run `whole`."""
    tell = f"{whole}\nimport sys; print('%d.%d' % sys.version_info[:2])"
    said = subprocess.run([python, "-c", tell], capture_output=True, encoding="utf-8")
    return said.stdout.strip()


def python_for(combination: Answers) -> str:
    """Return the Python of a combination: each answer is tested with each version.

    Versions that the machine does not have are replaced by that of these tests.
    """
    turn = COMBINATIONS.index(combination) % len(VERSIONS)
    return find_python(VERSIONS[turn]) or sys.executable
