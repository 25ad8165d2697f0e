"""The default service on the other Pythons that its metadata allows."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import OWN_ENVIRONMENT
from tests.slow.conftest import install

RUNS = "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"


def find_python(version: str) -> str | None:
    """Return a Python of that version that runs, from the search path or from pyenv."""
    pyenv = Path(OWN_ENVIRONMENT.get("PYENV_ROOT") or Path(OWN_ENVIRONMENT["HOME"], ".pyenv"))
    installed = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    for candidate in (shutil.which(f"python{version}"), *map(os.fspath, installed)):
        if candidate is not None:
            said = subprocess.run([candidate, "-c", RUNS], capture_output=True, encoding="utf-8")
            if said.stdout.strip() == version:
                return candidate
    return None


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_its_own_tests_pass(version: str, tmp_path: Path) -> None:
    """A team moves to a newer Python without asking the template."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")
    project = install(tmp_path, {}, python)

    said = project.make("test", python)

    assert f"-- Python {version}." in said
    assert " passed" in said
