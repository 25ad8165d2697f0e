"""Starting the service as an operator does: a process, and nothing but the environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings
from tests.conftest import ENVIRON

ROOT = Path(__file__).parent.parent
REQUIRED = [name for name, field in Settings.model_fields.items() if field.is_required()]


def load(directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Import the application in a process of its own, in `directory`, without a server."""
    return subprocess.run(
        [sys.executable, "-m", "uvicorn", "app.main:app", "--fd", "-1"],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_wrong_environment_stops_the_start_in_words(tmp_path: Path) -> None:
    """One sentence a problem on standard error, no traceback, and a failure for the supervisor."""
    process = load(tmp_path, IDP_TIMEOUT="soon")

    assert process.returncode not in (0, None)
    assert "Traceback" not in process.stderr
    lines = process.stderr.strip().splitlines()
    assert len(lines) == 2 + len(REQUIRED)
    assert lines[0] == "The service cannot start with this environment."


def test_the_file_of_the_working_directory_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "".join(f"{name}={value}\n" for name, value in ENVIRON.items()) + "CLOCK_LEEWAY=61\n"
    )
    process = load(tmp_path)

    assert "CLOCK_LEEWAY" in process.stderr
    assert "AUDIENCE" not in process.stderr


@pytest.mark.parametrize("name", ["app", "create_app"])
def test_the_application_and_its_factory_can_be_imported(tmp_path: Path, name: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", f"from app.main import {name}; print({name})"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **ENVIRON},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
